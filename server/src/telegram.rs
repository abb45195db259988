//! Telegram's updates, as its servers post them to a webhook (Telegram Bot API, `Update`), as far as messages go. All that a message has
//! beside its text (files, places, polls) is left where it is.

use highwater_core::{stream::StreamName, time::Timestamp};
use serde::Deserialize;

/// What a bot's webhook is told. Exactly one of its messages is there, or none where it is about something else.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Update {
    /// Rises with every update of a bot; the same update again has the same.
    pub(crate) update_id: i64,
    message: Option<Message>,
    edited_message: Option<Message>,
    channel_post: Option<Message>,
    edited_channel_post: Option<Message>,
}

/// A message of a chat.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Message {
    /// Unique in its chat.
    pub(crate) message_id: i64,
    /// Who sent it; nobody where a channel speaks.
    pub(crate) from: Option<User>,
    pub(crate) chat: Chat,
    /// When it was sent, in seconds since 1970.
    date: i64,
    /// When it was changed last.
    edit_date: Option<i64>,
    text: Option<String>,
    /// What stands beneath a picture or a file.
    caption: Option<String>,
}

/// Who sends messages.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct User {
    pub(crate) id: i64,
    pub(crate) is_bot: bool,
    pub(crate) first_name: String,
    pub(crate) last_name: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) language_code: Option<String>,
}

/// Where messages are sent.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Chat {
    pub(crate) id: i64,
    /// `private`, `group`, `supergroup` or `channel`.
    pub(crate) r#type: String,
    pub(crate) title: Option<String>,
    pub(crate) username: Option<String>,
}

impl Update {
    /// The message that the update is about. `None` where it is about something else.
    pub(crate) fn message(&self) -> Option<&Message> {
        let all = [&self.message, &self.edited_message, &self.channel_post, &self.edited_channel_post];
        all.into_iter().find_map(Option::as_ref)
    }
}

impl Message {
    /// What it says; empty where it has no words.
    pub(crate) fn text(&self) -> &str {
        self.text.as_deref().or(self.caption.as_deref()).unwrap_or_default()
    }

    /// When it was sent. `None` for a time that nobody could have meant.
    pub(crate) fn sent(&self) -> Option<Timestamp> {
        seconds(self.date)
    }

    /// When it was changed last.
    pub(crate) fn edited(&self) -> Option<Timestamp> {
        self.edit_date.and_then(seconds)
    }

    /// Its stream in a space: the same for all that is told of it.
    pub(crate) fn stream(&self, space: &str) -> Option<StreamName> {
        StreamName::new(&format!("space:{space}:messages:telegram.{}.{}", self.chat.id, self.message_id)).ok()
    }
}

fn seconds(since_1970: i64) -> Option<Timestamp> {
    Timestamp::from_unix_micros(since_1970.checked_mul(1_000_000)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_is_read_as_telegram_writes_it() {
        let update: Update = serde_json::from_str(
            r#"{"update_id":10000,"message":{"date":1441645532,"chat":{"last_name":"Test Lastname","id":-1001111111,"first_name":"Test",
                "username":"Test","type":"supergroup"},"message_id":1365,"from":{"last_name":"Test Lastname","id":1111111,"is_bot":false,
                "first_name":"Test","username":"Test","language_code":"de"},"text":"/start","entities":[{"type":"bot_command","offset":0,"length":6}]}}"#,
        )
        .unwrap();
        let message = update.message().unwrap();
        assert_eq!((message.text(), message.sent().unwrap().to_string().as_str()), ("/start", "2015-09-07T17:05:32Z"));
        assert_eq!(message.stream("1").unwrap().as_str(), "space:1:messages:telegram.-1001111111.1365");
        assert_eq!(message.stream("a:b"), None, "which is no space");
    }

    #[test]
    fn an_update_about_something_else_has_no_message() {
        let update: Update = serde_json::from_str(r#"{"update_id":1,"poll_answer":{"poll_id":"x"}}"#).unwrap();
        assert!(update.message().is_none());
    }

    #[test]
    fn a_time_that_nobody_means_is_none() {
        assert_eq!(seconds(i64::MAX), None);
        assert_eq!(seconds(1 << 50), None);
    }
}
