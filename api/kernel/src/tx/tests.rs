use proptest::prelude::*;
use serde_json::json;

use super::journal::difference;
use super::*;

proptest! {
    #[test]
    fn the_difference_leads_from_before_to_after(
        before in prop::collection::vec(0..3_u8, 6),
        after in prop::collection::vec(0..3_u8, 6),
    ) {
        let object = |values: &[u8]| -> Value {
            let member = |(i, v): (usize, &u8)| (format!("m{i}"), json!(v));
            Value::Object(values.iter().enumerate().map(member).collect())
        };
        let (was, is) = difference(&object(&before), &object(&after));
        let differ = before.iter().zip(&after).filter(|(before, after)| before != after).count();
        for (from, part, to) in [(&before, &is, &after), (&after, &was, &before)] {
            let mut whole = object(from);
            whole.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
            prop_assert_eq!(whole, object(to));
            prop_assert_eq!(part.as_object().unwrap().len(), differ);
        }
    }

    #[test]
    fn pieces_are_the_rows_in_their_order(length in 0..700_usize) {
        let rows: Vec<usize> = (0..length).collect();
        let pieces: Vec<&[usize]> = in_powers_of_two(&rows).collect();
        prop_assert_eq!(&pieces.concat(), &rows);
        let sizes = |piece: &&[usize]| piece.len().is_power_of_two() && piece.len() <= PIECE_MAX;
        prop_assert!(pieces.iter().all(sizes));
    }
}
