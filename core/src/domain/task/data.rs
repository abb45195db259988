//! What the events of a task say.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::{event::EventId, version::Version};

/// What is wanted is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequirementGathered {
    /// In words.
    pub requirement: String,
}

/// How it is to be done is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// The steps, in order.
    pub steps: Vec<String>,
}

/// There is a first code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodeGenerated {
    /// What it is to do, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The code.
    pub code: String,
    /// Its hash, of whatever kind all of a task's actors use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

/// There are tests for the current code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestGenerated {
    /// How many.
    pub count: u32,
    /// The tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<String>,
}

/// There is a next version, with nothing corrected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodeRefined {
    /// The code.
    pub code: String,
    /// Its hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

/// The code was checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QualityChecked {
    /// The hash of the code that was checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Whether all cases pass.
    pub passed: bool,
    /// How many cases there were.
    #[serde(default)]
    pub cases: u32,
    /// How many failed.
    #[serde(default)]
    pub failed: u32,
    /// The reports, also of earlier versions, whose cases pass now.
    #[serde(default)]
    pub addresses: Vec<EventId>,
}

/// Code that nobody uses was looked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeadCodeAnalyzed {
    /// What was found, by name.
    pub unused: Vec<String>,
}

/// Something is said to be wrong with the version that the event is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BugReportReceived {
    /// What is wrong.
    pub bug: Bug,
    /// The hash of the code that was tested.
    #[serde(default, alias = "code_hash", skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

/// What is wrong with some code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Bug {
    /// In words.
    Words(String),
    /// A case that fails.
    Case {
        /// The call.
        case: String,
        /// What it should give.
        expected: String,
        /// What it gives.
        got: String,
    },
}

/// Told from what it is, where serde would try one after the other on a copy.
impl<'de> Deserialize<'de> for Bug {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Case {
            case: String,
            expected: String,
            got: String,
        }

        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Bug;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("what is wrong in words, or as a case with what is expected and what it gives")
            }

            fn visit_str<E: Error>(self, words: &str) -> Result<Bug, E> {
                Ok(Bug::Words(words.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Bug, A::Error> {
                let Case { case, expected, got } = Case::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Bug::Case { case, expected, got })
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// Somebody wants a correction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CorrectionRequested {
    /// The reports that it is to address.
    #[serde(default)]
    pub reports: Vec<EventId>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A version is being corrected.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CorrectionStarted {
    /// The version, where it is said; it is the event's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_version: Option<Version>,
}

/// There is a next version, which corrects the one before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CorrectionCompleted {
    /// The code.
    pub code: String,
    /// Its hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// The reports that it answers: these, and no others, are pending no more.
    #[serde(default)]
    pub addresses: Vec<EventId>,
}

/// A bug is to be fixed before all else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BugFixUrgent {
    /// The reports of it.
    pub reports: Vec<EventId>,
}

/// A user has stepped in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserIntervened {
    /// What the user says.
    pub note: String,
}
