//! The reader and the writer beside `serde_json`'s.

use super::{from_str, to_string};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Plain,
    Held(Point),
    Pair(u8, Point),
    Named { at: Point, why: Option<String> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Point {
    x: i64,
    y: f64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
struct Number(u32);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Whole {
    kinds: Vec<Kind>,
    known: BTreeMap<String, Point>,
    numbered: BTreeMap<Number, bool>,
    nothing: Option<Point>,
    some: Option<Point>,
    pair: (u8, Point),
    letter: char,
    any: Value,
    #[serde(default)]
    later: u32,
}

/// The same, as snapshots are read.
#[derive(Debug, PartialEq, Serialize)]
struct ByFields {
    kinds: Vec<Kind>,
    some: Option<Point>,
    nothing: Option<Point>,
    later: u32,
    never: u32,
}

read_fields!(ByFields { kinds, some, nothing; default: later; never: never });

const POINT: Point = Point { x: -3, y: 0.1 };

fn kinds() -> Vec<Kind> {
    let named = Kind::Named {
        at: POINT,
        why: Some("\u{1f600} \"x\"\n\u{1}\u{7f}".into()),
    };
    vec![Kind::Plain, Kind::Held(POINT), Kind::Pair(1, POINT), named]
}

fn whole() -> Whole {
    Whole {
        kinds: kinds(),
        known: [("a\"b".to_owned(), POINT)].into(),
        numbered: [(Number(7), true), (Number(u32::MAX), false)].into(),
        nothing: None,
        some: Some(POINT),
        pair: (7, POINT),
        letter: 'é',
        any: serde_json::json!({"x": [1, null, {"y": "z"}], "": [], "n": {}}),
        later: 0,
    }
}

#[test]
fn what_was_written_is_read() {
    let text = serde_json::to_string(&whole()).expect("JSON");
    assert_eq!(from_str::<Whole>(&text).expect("itself"), whole());
    let pretty = serde_json::to_string_pretty(&whole()).expect("JSON");
    assert_eq!(from_str::<Whole>(&pretty).expect("itself"), whole());
    let without = text.replace(",\"later\":0", "");
    assert_eq!(from_str::<Whole>(&without).expect("a default"), whole());
}

/// Both writers give the same.
fn is_written_alike(value: &impl Serialize) {
    let usual = serde_json::to_string(value).expect("JSON");
    assert_eq!(to_string(value).expect("JSON"), usual);
}

#[test]
fn every_kind_of_value_is_written_as_serde_json_writes_it() {
    #[derive(Serialize)]
    struct Unit;
    #[derive(Serialize)]
    struct Tuple(u8, Unit, f32);
    #[derive(Serialize)]
    struct Empty {}

    is_written_alike(&whole());
    is_written_alike(&(Unit, Tuple(1, Unit, 0.1), Empty {}, [0_u8; 0], ()));
    is_written_alike(&(i8::MIN, i16::MIN, i32::MIN, i64::MIN, u64::MAX));
    is_written_alike(&[0.0, -0.0, 1e300, 5e-324, f64::NAN, f64::NEG_INFINITY]);
    is_written_alike(&[f32::MAX, f32::NAN]);
    is_written_alike(&(Some(None::<u8>), Some(Some(1)), "[", vec!["{", ""]));
    is_written_alike(&BTreeMap::from([(true, 'a'), (false, '"')]));
    is_written_alike(&BTreeMap::from([(-5_i8, vec![BTreeMap::from([("", 0)])])]));
    is_written_alike(&BTreeMap::from([(Name::One, 1), (Name::Two, 2)]));
    let every: String = (0_u8..=255).map(char::from).collect();
    is_written_alike(&every);
}

/// A map's key may be the name of a variant.
#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize)]
enum Name {
    One,
    Two,
}

#[test]
fn a_key_that_is_no_string_is_refused() {
    for wrong in [
        to_string(&BTreeMap::from([(vec![1], 1)])),
        to_string(&BTreeMap::from([((), 1)])),
        to_string(&BTreeMap::from([(BTreeMap::from([(1, 1)]), 1)])),
    ] {
        let message = wrong.expect_err("no JSON").to_string();
        assert_eq!(message, "a key must be a string");
    }
}

#[test]
fn a_struct_is_read_field_by_field() {
    let read = from_str::<ByFields>(&serde_json::to_string(&whole()).expect("JSON")).expect("JSON");
    let expected = ByFields {
        kinds: kinds(),
        some: Some(POINT),
        nothing: None,
        later: 0,
        never: 0,
    };
    assert_eq!(read, expected);
    let message = |text: &str| from_str::<ByFields>(text).expect_err(text).to_string();
    assert!(message("{\"some\": null}").starts_with("missing field `kinds`"));
    let wrong = message("{\"kinds\": [], \"later\": -1}");
    assert!(wrong.starts_with("later: invalid value"), "{wrong}");
    assert!(message("[]").contains("expected an object"));
    assert!(message("{\"kinds\": [], \"kinds\": []}").starts_with("duplicate field `kinds`"));
    assert_eq!(
        from_str::<ByFields>("{\"kinds\": []}")
            .expect("all there")
            .later,
        0
    );
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Ending {
    AllDone,
    Failed { why: String, at: Option<u32> },
}

read_variants!(Ending {
    "allDone" => AllDone,
    "failed" => Failed { why, at },
});

#[test]
fn a_variant_is_read_by_its_name() {
    let failed = |at| Ending::Failed {
        why: "x\n".to_owned(),
        at,
    };
    for ending in [Ending::AllDone, failed(None), failed(Some(7))] {
        let text = to_string(&ending).expect("JSON");
        assert_eq!(from_str::<Ending>(&text).expect("itself"), ending);
    }
    for (wrong, said) in [
        ("\"done\"", "unknown variant `done`"),
        ("{\"failed\": {\"at\": 1}}", "missing field `why`"),
        ("{\"failed\": {}, \"allDone\": {}}", "expected one variant"),
        ("{}", "expected one variant"),
        ("7", "invalid type: integer `7`, expected a variant"),
    ] {
        let error = from_str::<Ending>(wrong).expect_err(wrong).to_string();
        assert!(error.starts_with(said), "{wrong}: {error}");
    }
}

#[test]
fn a_struct_is_no_array_and_what_is_wrong_is_said() {
    for (wrong, said) in [
        (
            "[1, 2.0]",
            "invalid type: sequence, expected struct Point at line 1",
        ),
        ("{\"x\": 1}", "missing field `y`"),
        (
            "{\"x\": 1, \"y\": \"two\"}",
            "invalid type: string \"two\", expected f64",
        ),
        ("{\"x\": 1, \"x\": 1, \"y\": 2}", "duplicate field `x`"),
        (
            "{\"x\": 1,\n \"y\": 2} more",
            "trailing characters at line 2 column 9",
        ),
        ("{\"x\": 1, \"y\":", "unexpected end"),
        ("{\"x\": 1, \"y\": 2,}", "trailing comma"),
        ("{\"x\": 1 \"y\": 2}", "expected `,`"),
        ("{x: 1}", "a key must be a string"),
        (
            "{\"x\": 1.5, \"y\": 2}",
            "invalid type: floating point `1.5`, expected i64",
        ),
        ("{\"x\": nul, \"y\": 2}", "expected a value"),
        ("7", "invalid type: integer `7`, expected struct Point"),
        ("", "unexpected end"),
    ] {
        let error = from_str::<Point>(wrong).expect_err(wrong).to_string();
        assert!(error.starts_with(said), "{wrong}: {error}");
    }
    let named = "{\"Named\": [{\"x\": 1, \"y\": 2}, null]}";
    assert!(from_str::<Kind>(named).is_err());
}

#[test]
fn no_nesting_is_too_deep_for_the_stack() {
    let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
    assert!(from_str::<Value>(&deep(128)).is_ok());
    for text in [deep(129), deep(1_000_000), "{\"a\":".repeat(1_000_000)] {
        let error = from_str::<Value>(&text).expect_err("too deep").to_string();
        assert!(error.starts_with("nested too deep"), "{error}");
    }
    let ignored = format!("{{\"x\": 1, \"y\": 2, \"z\": {}}}", deep(1_000_000));
    assert!(from_str::<Point>(&ignored).is_err());
}

/// Whether both readers give the same, or both refuse.
fn agree(text: &str) -> Result<(), TestCaseError> {
    let usual = serde_json::from_str::<Value>(text);
    let ours = from_str::<Value>(text);
    match (&usual, &ours) {
        (Ok(usual), Ok(ours)) => prop_assert_eq!(usual, ours),
        (Err(_), Err(_)) => {}
        _ => prop_assert!(false, "{:?}: {:?} and {:?}", text, usual, ours),
    }
    let (usual, ours) = (serde_json::from_str::<Kind>(text), from_str::<Kind>(text));
    match (&usual, &ours) {
        (Ok(usual), Ok(ours)) => prop_assert_eq!(usual, ours),
        (Err(_), Err(_)) => {}
        // serde_json reads a struct from an array, too
        (Ok(_), Err(_)) if text.contains('[') => {}
        _ => prop_assert!(false, "{:?}: {:?} and {:?}", text, usual, ours),
    }
    Ok(())
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Pieces of JSON, and what is nearly JSON.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    " ",
    "\n",
    "\"",
    "\\",
    "\\u00e9",
    "\\ud83d\\ude00",
    "\\ud83d",
    "\\ude00",
    "\\u12",
    "\\n",
    "\\x",
    "null",
    "true",
    "false",
    "nul",
    "0",
    "-0",
    "-",
    "1",
    "01",
    "1.5",
    "1.",
    ".5",
    "1e5",
    "1e",
    "1E+2",
    "1e400",
    "-1",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775809",
    "\"x\"",
    "\"Plain\"",
    "\"Held\"",
    "\"Pair\"",
    "{\"x\":1,\"y\":2}",
    "{\"Held\":{\"x\":1,\"y\":2}}",
    "é",
    "\u{1}",
    "\u{7f}",
];

proptest! {
    #[test]
    fn values_are_written_as_serde_json_writes_them(value in values()) {
        prop_assert_eq!(to_string(&value).expect("JSON"), serde_json::to_string(&value).expect("JSON"));
    }

    #[test]
    fn values_are_read_as_serde_json_reads_them(value in values(), pretty in any::<bool>()) {
        let text = if pretty {
            serde_json::to_string_pretty(&value)
        } else {
            serde_json::to_string(&value)
        };
        agree(&text.expect("JSON"))?;
    }

    #[test]
    fn texts_that_are_nearly_json_are_refused_as_by_serde_json(
        value in values(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..4_usize, prop::sample::select(PIECES)), 1..4),
    ) {
        let mut text: Vec<char> = serde_json::to_string(&value).expect("JSON").chars().collect();
        for (place, gone, piece) in cuts {
            let at = place.index(text.len() + 1);
            let end = (at + gone).min(text.len());
            text.splice(at..end, piece.chars());
        }
        agree(&text.into_iter().collect::<String>())?;
    }

    #[test]
    fn pieces_of_json_in_any_order(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..12)) {
        agree(&pieces.concat())?;
    }
}
