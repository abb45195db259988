//! What the events of a task say.

use crate::{
    event::EventId,
    json::{Error, FromJson, Json, Node, ToJson, Writer, from_node},
    version::Version,
};

/// What is wanted is known.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct RequirementGathered {
    /// In words.
    pub requirement: String,
}

/// How it is to be done is known.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct Planned {
    /// The steps, in order.
    pub steps: Vec<String>,
}

/// There is a first code.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct CodeGenerated {
    /// What it is to do, in words.
    #[json(skip_none)]
    pub task: Option<String>,
    /// The code.
    pub code: String,
    /// Its hash, of whatever kind all of a task's actors use.
    #[json(skip_none)]
    pub hash: Option<String>,
}

/// There are tests for the current code.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct TestGenerated {
    /// How many.
    pub count: u32,
    /// The tests.
    #[json(skip_none)]
    pub tests: Option<String>,
}

/// There is a next version, with nothing corrected.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct CodeRefined {
    /// The code.
    pub code: String,
    /// Its hash.
    #[json(skip_none)]
    pub hash: Option<String>,
}

/// The code was checked.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct QualityChecked {
    /// The hash of the code that was checked.
    #[json(skip_none)]
    pub hash: Option<String>,
    /// Whether all cases pass.
    pub passed: bool,
    /// How many cases there were.
    #[json(default)]
    pub cases: u32,
    /// How many failed.
    #[json(default)]
    pub failed: u32,
    /// The reports, also of earlier versions, whose cases pass now.
    #[json(default)]
    pub addresses: Vec<EventId>,
}

/// Code that nobody uses was looked for.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct DeadCodeAnalyzed {
    /// What was found, by name.
    pub unused: Vec<String>,
}

/// Something is said to be wrong with the version that the event is about.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct BugReportReceived {
    /// What is wrong.
    pub bug: Bug,
    /// The hash of the code that was tested.
    #[json(alias = "code_hash", skip_none)]
    pub hash: Option<String>,
}

/// What is wrong with some code.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// A case, as it stands in JSON.
#[derive(Json)]
struct Case {
    case: String,
    expected: String,
    got: String,
}

/// Words are a string, a case is an object.
impl FromJson for Bug {
    fn placeholder() -> Self {
        Self::Words(String::new())
    }

    fn read(&mut self, node: &Node<'_>) -> Result<(), Error> {
        *self = if let Node::Text(words) = node {
            Self::Words(words.to_string())
        } else {
            let Case { case, expected, got } = from_node(node)?;
            Self::Case { case, expected, got }
        };
        Ok(())
    }

    fn sample(to: &mut Writer) {
        to.text("text");
    }
}

impl ToJson for Bug {
    fn write(&self, to: &mut Writer) {
        match self.clone() {
            Self::Words(words) => to.text(&words),
            Self::Case { case, expected, got } => Case { case, expected, got }.write(to),
        }
    }
}

/// Somebody wants a correction.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct CorrectionRequested {
    /// The reports that it is to address.
    #[json(default)]
    pub reports: Vec<EventId>,
    /// Why, in words.
    #[json(skip_none)]
    pub reason: Option<String>,
}

/// A version is being corrected.
#[derive(Clone, Debug, Default, PartialEq, Json)]
pub struct CorrectionStarted {
    /// The version, where it is said; it is the event's own.
    #[json(skip_none)]
    pub target_version: Option<Version>,
}

/// There is a next version, which corrects the one before.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct CorrectionCompleted {
    /// The code.
    pub code: String,
    /// Its hash.
    #[json(skip_none)]
    pub hash: Option<String>,
    /// The reports that it answers: these, and no others, are pending no more.
    #[json(default)]
    pub addresses: Vec<EventId>,
}

/// A bug is to be fixed before all else.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct BugFixUrgent {
    /// The reports of it.
    pub reports: Vec<EventId>,
}

/// A user has stepped in.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct UserIntervened {
    /// What the user says.
    pub note: String,
}
