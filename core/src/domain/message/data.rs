//! What the events of a message say. The names are ours; what they hold is what a
//! [Telegram message](https://core.telegram.org/bots/api#message) holds.

use crate::{json::Json, time::Timestamp};

/// A message has come.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct Ingested {
    /// Its number in its chat.
    pub message_id: i64,
    /// Where it was said.
    pub chat: Chat,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// What it says, and who says it.
    pub content: Content,
}

/// Where messages are said.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct Chat {
    /// Its number.
    pub id: i64,
    /// What it is, such as `private` or `supergroup`.
    pub kind: String,
    /// Its name.
    #[json(skip_none)]
    pub title: Option<String>,
}

/// What a message says, as it was sent or last edited, and who says it.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct Content {
    /// The text, or what is written below a picture.
    #[json(default)]
    pub text: String,
    /// Who, where it is not a channel that speaks.
    #[json(skip_none)]
    pub user: Option<User>,
    /// How they are called.
    #[json(skip_none)]
    pub profile: Option<Profile>,
    /// When it was edited.
    #[json(skip_none)]
    pub edited_at: Option<Timestamp>,
    /// The number of the update that brought it, which rises: of two edits within a second the higher one is the later.
    #[json(skip_none)]
    pub update_id: Option<u64>,
}

/// Who sent a message.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct User {
    /// Their number.
    pub id: i64,
    /// Their own name for themselves.
    #[json(skip_none)]
    pub username: Option<String>,
    /// Whether it is a program.
    #[json(default)]
    pub is_bot: bool,
}

/// How somebody is called.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct Profile {
    /// The first name.
    pub first_name: String,
    /// The last name.
    #[json(skip_none)]
    pub last_name: Option<String>,
    /// The language of their program, such as `de`.
    #[json(skip_none)]
    pub language_code: Option<String>,
}

/// A message was edited, or more is known of it: what is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Json)]
pub struct Updated {
    /// What it says now.
    #[json(skip_none)]
    pub content: Option<Content>,
    /// What was found in its text.
    #[json(skip_none)]
    pub found: Option<Found>,
}

/// What was found in a message's text.
#[derive(Clone, Debug, Default, PartialEq, Json)]
pub struct Found {
    /// How often the text had been edited when it was read.
    #[json(default)]
    pub edits: u32,
    /// Its hashtags, without `#`.
    #[json(default)]
    pub hashtags: Vec<String>,
    /// Whom it names, without `@`.
    #[json(default)]
    pub mentions: Vec<String>,
    /// What it links to.
    #[json(default)]
    pub urls: Vec<String>,
    /// Whether it asks something.
    #[json(default)]
    pub is_question: bool,
    /// How many words it has.
    #[json(default)]
    pub words: u32,
}
