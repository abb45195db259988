//! Telegram's updates, as its servers post them to a webhook (Telegram Bot API, `Update`), as far as messages go. All that a message has
//! beside its text (files, places, polls) is left where it is.

use highwater_core::{
    domain::message::{self, Content, Ingested, Profile},
    time::Timestamp,
};
use serde::Deserialize;

/// What a bot's webhook is told. Exactly one of its messages is there, or none where it is about something else.
#[derive(Debug, Deserialize)]
pub(crate) struct Update {
    /// Rises with every update of a bot; the same update again has the same.
    pub(crate) update_id: u64,
    message: Option<Message>,
    edited_message: Option<Message>,
    channel_post: Option<Message>,
    edited_channel_post: Option<Message>,
}

/// A message of a chat.
#[derive(Debug, Deserialize)]
pub(crate) struct Message {
    /// Unique in its chat.
    message_id: i64,
    /// Who sent it; nobody where a channel speaks.
    from: Option<User>,
    chat: Chat,
    /// When it was sent, in seconds since 1970.
    date: i64,
    /// When it was changed last.
    edit_date: Option<i64>,
    text: Option<String>,
    /// What stands beneath a picture or a file.
    caption: Option<String>,
}

/// Who sends messages.
#[derive(Debug, Deserialize)]
pub(crate) struct User {
    id: i64,
    is_bot: bool,
    first_name: String,
    last_name: Option<String>,
    username: Option<String>,
    language_code: Option<String>,
}

/// Where messages are sent.
#[derive(Debug, Deserialize)]
pub(crate) struct Chat {
    id: i64,
    /// `private`, `group`, `supergroup` or `channel`.
    r#type: String,
    title: Option<String>,
    username: Option<String>,
}

impl Update {
    /// The message that the update is about. `None` where it is about something else.
    pub(crate) fn message(self) -> Option<Message> {
        self.message.or(self.edited_message).or(self.channel_post).or(self.edited_channel_post)
    }
}

impl Message {
    /// What names it in its space: the same for all that is told of it.
    pub(crate) fn id(&self) -> String {
        format!("telegram.{}.{}", self.chat.id, self.message_id)
    }

    /// The message as it is ingested. `None` where it was sent at a time that nobody could have meant.
    pub(crate) fn ingested(self, update_id: u64) -> Option<Ingested> {
        let title = self.chat.title.or(self.chat.username);
        let (user, profile) = self.from.map(User::known).unzip();
        let content = Content {
            text: self.text.or(self.caption).unwrap_or_default(),
            user,
            profile,
            edited_at: self.edit_date.and_then(seconds),
            update_id: Some(update_id),
        };
        let chat = message::Chat { id: self.chat.id, kind: self.chat.r#type, title };
        Some(Ingested { message_id: self.message_id, chat, sent_at: seconds(self.date)?, content })
    }
}

impl User {
    fn known(self) -> (message::User, Profile) {
        let Self { id, is_bot, first_name, last_name, username, language_code } = self;
        (message::User { id, username, is_bot }, Profile { first_name, last_name, language_code })
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
        let update_id = update.update_id;
        let message = update.message().unwrap();
        assert_eq!(message.id(), "telegram.-1001111111.1365");
        let ingested = message.ingested(update_id).unwrap();
        assert_eq!(ingested.sent_at.to_string(), "2015-09-07T17:05:32Z");
        assert_eq!((ingested.chat.kind.as_str(), ingested.chat.title.as_deref()), ("supergroup", Some("Test")));
        assert_eq!((ingested.content.text.as_str(), ingested.content.update_id), ("/start", Some(10_000)));
        assert_eq!(ingested.content.user.unwrap().id, 1_111_111);
        assert_eq!(ingested.content.profile.unwrap().language_code.as_deref(), Some("de"));
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
