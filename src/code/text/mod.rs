//! `code_search`: lines that match a pattern, as ripgrep finds them.
//!
//! | module | what it is for |
//! |---|---|
//! | [`query`] | the arguments |
//! | [`pattern`] | the pattern, compiled; what to write instead of one that is none |
//! | [`literal`] | a pattern that is one text |
//! | [`shape`] | a text with plain parts around it |
//! | [`parts`] | those parts |
//! | [`ascii`] | the pattern for texts that have ASCII characters only |
//! | [`prefilter`] | what rules a text out before |
//! | [`streams`] | the same for a pattern without a text to look for |
//! | [`lanes`] | vector instructions for both |
//! | [`file`] | one file's matches |
//! | [`scan`] | files one after another, by whichever thread |
//! | [`search`] | the job: walk, read, match |
//! | [`ahead`] | files that another thread opens before they are read |
//! | [`handing`] | what of it another thread does: the [`scout`], to which files go in [`parcels`] |
//! | [`rank`] | the order of an answer |
//! | [`report`] | the answer |

pub mod ahead;
mod ascii;
pub mod file;
pub mod handing;
mod lanes;
mod literal;
pub mod parcels;
mod parts;
pub mod pattern;
pub mod prefilter;
pub mod query;
pub mod rank;
pub mod report;
mod scan;
pub mod scout;
pub mod search;
mod shape;
mod streams;
