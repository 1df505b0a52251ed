//! Disks that can be made full, or to fail.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A small file system of its own.
pub struct Room {
    place: TempDir,
}

impl Room {
    /// Mounts one; `None` where that is not permitted.
    pub fn mount(size_mb: u32) -> Option<Self> {
        let place = TempDir::new().expect("a folder");
        let options = format!("size={size_mb}m,mode=0711");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "bodega-test"])
            .arg(place.path())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self { place })
    }

    pub fn path(&self) -> &Path {
        self.place.path()
    }

    /// A folder on it for the user that runs PostgreSQL.
    pub fn for_postgres(&self) -> String {
        let folder = self.path().join("tables");
        fs::create_dir(&folder).expect("a folder");
        let given = Command::new("chown").arg("postgres:").arg(&folder).status();
        assert!(given.expect("the program `chown`").success(), "no user `postgres`");
        folder.display().to_string()
    }

    /// Leaves no byte.
    pub fn fill(&self) {
        let mut ballast = File::create(self.ballast()).expect("a file");
        let (mut piece, zeros) = (1 << 20, vec![0_u8; 1 << 20]);
        while piece > 0 {
            match ballast.write(&zeros[..piece]) {
                Ok(written) if written > 0 => {}
                _ => piece /= 2,
            }
        }
    }

    /// Gives all of it back.
    pub fn free(&self) {
        fs::remove_file(self.ballast()).expect("the ballast");
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.place.path()).status();
    }
}

/// A library that lets calls fail.
pub struct Shim {
    folder: TempDir,
    library: String,
    order: String,
}

impl Shim {
    pub fn build() -> Self {
        let folder = TempDir::new().expect("a folder");
        let source = folder.path().join("shim.c");
        fs::write(&source, include_str!("shim.c")).expect("a file");
        let library = folder.path().join("shim.so").display().to_string();
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o", &library])
            .arg(&source)
            .arg("-ldl")
            .status();
        assert!(built.expect("a C compiler, as the program needs one").success(), "it compiles");
        let order = folder.path().join("order").display().to_string();
        Self { folder, library, order }
    }

    pub fn library(&self) -> &str {
        &self.library
    }

    pub fn order(&self) -> &str {
        &self.order
    }

    pub fn fail(&self, errno: i32, operation: &str, ending: &str, every: u32) {
        // Whole at once: a half-written order is none.
        let next = self.folder.path().join("next");
        fs::write(&next, format!("{errno} {operation} {ending} {every}\n")).expect("a file");
        fs::rename(next, &self.order).expect("a file");
    }

    pub fn work(&self) {
        fs::remove_file(&self.order).expect("an order");
    }
}
