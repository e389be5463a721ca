//! A module imports only from a lower layer or from its own folder. The layers are those of
//! ARCHITECTURE.md; a file that is not listed here belongs nowhere.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Room and layer.
const LAYERS: [(&str, u8); 21] = [
    ("base64", 1),
    ("bytes", 0),
    ("bounded", 1),
    ("crypto", 1),
    ("time", 0),
    ("content", 2),
    ("credential", 2),
    ("request", 1),
    ("signature", 3),
    ("canonical", 4),
    ("chain", 4),
    ("checksum", 2),
    ("chunked", 5),
    ("body", 6),
    ("sign", 7),
    ("verify", 7),
    ("post", 8),
    ("error", 9),
    ("http", 10),
    ("tower", 11),
    ("lib", 12),
];

#[test]
fn modules_import_only_from_below() {
    let layers: BTreeMap<_, _> = LAYERS.into_iter().collect();
    let mut seen = 0;
    let mut wrong = Vec::new();
    each_file(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut |path, text| {
        let inside =
            path.strip_prefix(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).expect("inside");
        let room = inside.iter().next().and_then(|first| first.to_str()).expect("a name");
        let room = room.trim_end_matches(".rs");
        let layer = *layers.get(room).unwrap_or_else(|| panic!("{room} has no layer"));
        for import in imports(text) {
            seen += 1;
            let below = layers.get(import.as_str()).is_some_and(|other| *other < layer);
            if room != "lib" && import != room && !below {
                wrong.push(format!("{} imports {import}", inside.display()));
            }
        }
    });
    assert!(seen > 30, "only {seen} imports were found: is this test still reading them?");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Everything outside the crate is named in one module alone.
#[test]
fn dependencies_are_named_once() {
    let homes = [
        ("aws_lc_rs", "crypto/module.rs"),
        ("constant_time_eq", "crypto/mod.rs"),
        ("base64::Engine", "base64.rs"),
        ("base64::engine", "base64.rs"),
        ("crc_fast", "checksum.rs"),
        ("wide", "bytes.rs"),
        ("zeroize", "crypto/mod.rs"),
        ("const_hex", "crypto/mod.rs"),
        ("countersign_multihash", "crypto/mod.rs"),
        ("time::OffsetDateTime", "time.rs"),
        ("serde_core", "post/json.rs"),
        ("serde_json", "post/json.rs"),
        ("multer", "http/form.rs"),
        ("futures_core", "http/form.rs"),
    ];
    each_file(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut |path, text| {
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (name, home) in homes {
            let used = text.lines().any(|line| {
                let line = line.trim_start();
                !line.starts_with("//")
                    && (line.contains(&format!("{name}::"))
                        || line.contains(&format!("use {name}")))
            });
            assert!(!used || path.ends_with(home), "{} names {name}", path.display());
        }
    });
}

fn each_file(folder: &Path, run: &mut dyn FnMut(&Path, &str)) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            each_file(&path, run);
        } else {
            run(&path, &fs::read_to_string(&path).expect("a text"));
        }
    }
}

/// First segments of `crate::` paths in code.
fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    for line in code {
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + "crate::".len()..];
            let named = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '_';
            let name: String = rest.chars().take_while(named).collect();
            if !name.is_empty() {
                found.push(name);
            } else if !rest.starts_with(|c: char| c.is_ascii_uppercase()) {
                panic!("an import this test cannot read: {line}");
            }
        }
    }
    found
}
