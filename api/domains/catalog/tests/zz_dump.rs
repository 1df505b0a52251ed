#[test]
fn dump() {
    let r = bodega_contract::Registry::new(bodega_catalog::resources());
    for (n, s) in &r.schemas().0 {
        println!(
            "{n}: {}",
            serde_json::to_string(s).unwrap().chars().take(6000).collect::<String>()
        );
    }
}
