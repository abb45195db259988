//! What the events of knowledge say.

use crate::{json::Json, stream::StreamName, time::Timestamp};

/// Somebody wants topics and atoms extracted from what was said.
#[derive(Clone, Debug, Default, PartialEq, Json)]
pub struct ExtractionRequested {
    /// The streams of the messages to read. Where there are none, it is all of the period.
    #[json(default)]
    pub messages: Vec<StreamName>,
    /// The earliest that is to be read.
    #[json(skip_none)]
    pub since: Option<Timestamp>,
    /// What was said from then on is not to be read.
    #[json(skip_none)]
    pub until: Option<Timestamp>,
}

/// What people talk about.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct Topic {
    /// In a line.
    pub title: String,
    /// The same at length.
    #[json(default)]
    pub text: String,
    /// What it is recognized by.
    #[json(default)]
    pub keywords: Vec<String>,
    /// The streams of the messages that it comes from.
    #[json(default)]
    pub sources: Vec<StreamName>,
    /// When the last of them was sent.
    pub said_at: Timestamp,
}

/// A single thing that somebody said.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct Atom {
    /// What it is.
    pub kind: AtomKind,
    /// In a line.
    pub title: String,
    /// The same at length.
    #[json(default)]
    pub text: String,
    /// What it is recognized by.
    #[json(default)]
    pub keywords: Vec<String>,
    /// The id of the topic that it belongs to, such as `topic-p1`.
    #[json(skip_none)]
    pub topic: Option<String>,
    /// The streams of the messages that it comes from.
    #[json(default)]
    pub sources: Vec<StreamName>,
    /// When the last of them was sent.
    pub said_at: Timestamp,
}

/// What an atom is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Json)]
pub enum AtomKind {
    /// Something is wrong.
    Problem,
    /// How something can be done.
    Solution,
    /// What is to be done, or not.
    Decision,
    /// Somebody wants to know something.
    Question,
    /// Somebody wants to have something.
    Requirement,
    /// Somebody has understood something.
    Insight,
}

/// A topic or an atom.
#[derive(Clone, Debug, PartialEq, Json)]
pub enum Item {
    /// A topic.
    Topic(Topic),
    /// An atom.
    Atom(Atom),
}

/// What an extraction found. It is what the extractor commands; each proposal becomes a stream of its own.
#[derive(Clone, Debug, Default, PartialEq, Json)]
pub struct Extracted {
    /// What it found.
    #[json(default)]
    pub proposals: Vec<Found>,
}

/// Something that an extraction found.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct Found {
    /// The proposal's id: the last segment of its stream's name.
    pub id: String,
    /// What is proposed.
    pub item: Item,
}

/// An extraction proposes a topic.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct TopicProposed {
    /// The extraction's id.
    pub extraction: String,
    /// The topic.
    pub topic: Topic,
}

/// An extraction proposes an atom.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct AtomProposed {
    /// The extraction's id.
    pub extraction: String,
    /// The atom.
    pub atom: Atom,
}

/// An extraction has come to its end.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct ExtractionCompleted {
    /// The ids of what it proposes.
    pub proposals: Vec<String>,
}

/// An extraction came to nothing.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct ExtractionFailed {
    /// Why, in words.
    pub reason: String,
}

/// What is proposed was changed: what is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Json)]
pub struct Edited {
    /// In a line.
    #[json(skip_none)]
    pub title: Option<String>,
    /// The same at length.
    #[json(skip_none)]
    pub text: Option<String>,
    /// What it is recognized by.
    #[json(skip_none)]
    pub keywords: Option<Vec<String>>,
    /// The id of the topic that an atom belongs to; an empty one is none.
    #[json(skip_none)]
    pub topic: Option<String>,
}

/// What was proposed is there now.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct Approved {
    /// The id of the topic or atom.
    pub created: String,
}

/// What was proposed is not wanted.
#[derive(Clone, Debug, Default, PartialEq, Json)]
pub struct Rejected {
    /// Why, in words.
    #[json(skip_none)]
    pub reason: Option<String>,
}

/// There is a topic.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct TopicCreated {
    /// The id of the proposal that it was.
    pub proposal: String,
    /// The topic.
    pub topic: Topic,
}

/// There is an atom.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct AtomCreated {
    /// The id of the proposal that it was.
    pub proposal: String,
    /// The atom.
    pub atom: Atom,
}

impl Item {
    /// What there is in a word.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Topic(_) => "topic",
            Self::Atom(_) => "atom",
        }
    }

    /// In a line.
    #[must_use]
    pub fn title(&self) -> &str {
        match self {
            Self::Topic(topic) => &topic.title,
            Self::Atom(atom) => &atom.title,
        }
    }

    /// What it is recognized by.
    #[must_use]
    pub fn keywords(&self) -> &[String] {
        match self {
            Self::Topic(topic) => &topic.keywords,
            Self::Atom(atom) => &atom.keywords,
        }
    }

    /// The streams of the messages that it comes from.
    #[must_use]
    pub fn sources(&self) -> &[StreamName] {
        match self {
            Self::Topic(topic) => &topic.sources,
            Self::Atom(atom) => &atom.sources,
        }
    }

    /// When the last of them was sent.
    #[must_use]
    pub fn said_at(&self) -> Timestamp {
        match self {
            Self::Topic(topic) => topic.said_at,
            Self::Atom(atom) => atom.said_at,
        }
    }

    /// The id of the topic that an atom belongs to.
    #[must_use]
    pub fn topic(&self) -> Option<&str> {
        match self {
            Self::Topic(_) => None,
            Self::Atom(atom) => atom.topic.as_deref(),
        }
    }

    pub(super) fn edit(&mut self, edited: Edited) {
        let (title, text, keywords) = match self {
            Self::Topic(topic) => (&mut topic.title, &mut topic.text, &mut topic.keywords),
            Self::Atom(atom) => (&mut atom.title, &mut atom.text, &mut atom.keywords),
        };
        *title = edited.title.unwrap_or_else(|| std::mem::take(title));
        *text = edited.text.unwrap_or_else(|| std::mem::take(text));
        *keywords = edited.keywords.unwrap_or_else(|| std::mem::take(keywords));
        if let (Self::Atom(atom), Some(topic)) = (self, edited.topic) {
            atom.topic = (!topic.is_empty()).then_some(topic);
        }
    }
}
