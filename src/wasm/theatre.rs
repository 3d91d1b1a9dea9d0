//! The playground's class: a simulated mission with a place in it.

use crate::sim::theatre::{self, Settings};
use wasm_bindgen::prelude::*;

/// A run of the simulated world. All that it gives is JSON text.
#[wasm_bindgen]
pub struct Theatre {
    run: theatre::Theatre,
}

#[wasm_bindgen]
impl Theatre {
    /// Runs `settings` (`Settings`, as JSON text) to its end and stands before its first moment. Throws when the text
    /// is not one.
    #[wasm_bindgen(constructor)]
    pub fn new(settings: &str) -> Result<Theatre, JsError> {
        console_error_panic_hook::set_once();
        let settings: Settings = serde_json::from_str(settings)
            .map_err(|error| JsError::new(&format!("settings: {error}")))?;
        let run = theatre::Theatre::new(&settings);
        Ok(Theatre { run })
    }

    /// The stories (`Story[]`).
    pub fn stories() -> Result<String, JsError> {
        json(&theatre::stories())
    }

    /// The whole run (`Overview`).
    pub fn overview(&self) -> Result<String, JsError> {
        json(self.run.overview())
    }

    /// The state after `moment` moments (`Picture`).
    pub fn jump(&mut self, moment: usize) -> Result<String, JsError> {
        json(&self.run.jump(moment))
    }
}

/// The flight recorder: a journal of a real mission, read in pieces.
#[wasm_bindgen]
#[derive(Default)]
pub struct Recording {
    recording: theatre::Recording,
}

#[wasm_bindgen]
impl Recording {
    /// An empty one.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Recording {
        console_error_panic_hook::set_once();
        Recording::default()
    }

    /// Reads the next piece of the file. Throws, with the reason in words, when it is no journal.
    pub fn read(&mut self, piece: &str) -> Result<(), JsError> {
        Ok(self.recording.read(piece)?)
    }

    /// Ends the reading.
    pub fn finish(&mut self) -> Result<(), JsError> {
        Ok(self.recording.finish()?)
    }

    /// The whole recording (`Overview`), once it is finished.
    pub fn overview(&self) -> Result<String, JsError> {
        json(&self.recording.overview())
    }

    /// Where the journal and today's rules part (`Difference[]`).
    pub fn differences(&self) -> Result<String, JsError> {
        json(&self.recording.differences())
    }

    /// The state after `moment` lines (`Picture`), once it is finished.
    pub fn jump(&mut self, moment: usize) -> Result<String, JsError> {
        json(&self.recording.jump(moment))
    }
}

fn json(value: &impl serde::Serialize) -> Result<String, JsError> {
    Ok(serde_json::to_string(value)?)
}
