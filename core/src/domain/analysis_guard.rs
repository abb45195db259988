//! **analysis_guard**: the one stream of a space that says which analysis run is open. Whoever opens or ends a run writes it in the same
//! commit and expects it where it was, so of two who open one at once, one wins. Nobody commands it.

use crate::{
    decider::{Context, Decider, Rejection},
    event::{Event, NewEvent},
    json::{Error, FromJson, Json, Node, ToJson, Writer},
    stream::StreamName,
};

/// See the [module](self).
pub enum AnalysisGuard {}

/// Which run is open.
#[derive(Clone, Debug, Default, PartialEq, Json)]
pub struct AnalysisGuardState {
    /// Its id.
    pub run: Option<String>,
}

/// Nothing may be asked of a guard: no JSON is such a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnalysisGuardCommand(());

impl FromJson for AnalysisGuardCommand {
    fn placeholder() -> Self {
        Self(())
    }

    fn read(&mut self, _: &Node<'_>) -> Result<(), Error> {
        Err(Error::new(&"is of no use: nobody commands a guard"))
    }

    fn sample(to: &mut Writer) {
        to.raw("null");
    }
}

impl ToJson for AnalysisGuardCommand {
    fn write(&self, to: &mut Writer) {
        to.raw("null");
    }
}

/// A run is open.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct Taken {
    /// Its id.
    pub run: String,
}

/// A run has ended: another may be opened.
#[derive(Clone, Debug, PartialEq, Json)]
pub struct Released {
    /// Its id.
    pub run: String,
}

crate::events! {
    /// What happens to a guard.
    pub enum AnalysisGuardEvent {
        /// A run is open.
        "analysis_guard.taken.v1" => Taken(Taken),
        /// A run has ended.
        "analysis_guard.released.v1" => Released(Released),
    }
}

impl Decider for AnalysisGuard {
    const ENTITY: &'static str = "analysis_guard";
    const STREAMS: &'static str = "space:*:analysis_guard:*";
    const SCHEMA: u32 = 1;

    type State = AnalysisGuardState;
    type Command = AnalysisGuardCommand;
    type Event = AnalysisGuardEvent;

    fn decide(_: AnalysisGuardCommand, _: &Context<'_>) -> Result<Vec<NewEvent>, Rejection> {
        Ok(Vec::new())
    }

    fn evolve(mut state: AnalysisGuardState, event: AnalysisGuardEvent, _: &Event) -> AnalysisGuardState {
        match event {
            AnalysisGuardEvent::Taken(data) => state.run = Some(data.run),
            AnalysisGuardEvent::Released(data) if state.run.as_ref() == Some(&data.run) => state.run = None,
            AnalysisGuardEvent::Released(_) => {}
        }
        state
    }
}

/// The guard of the space that a command is in.
fn stream(context: &Context<'_>) -> Result<StreamName, Rejection> {
    context.beside("analysis_guard", "open")
}

/// The id of the run that is open.
pub(super) fn open_run<'a>(context: &Context<'a>) -> Result<Option<&'a str>, Rejection> {
    Ok(context.of::<AnalysisGuard>(&stream(context)?)?.state().run.as_deref())
}

/// Says that a run is open.
pub(super) fn take(run: &str, context: &Context<'_>) -> Result<NewEvent, Rejection> {
    let taken = Taken { run: run.to_owned() };
    Ok(context.event_in(&stream(context)?, &taken))
}

/// Says that a run has ended, if it is the open one.
pub(super) fn release(run: &str, context: &Context<'_>) -> Result<Option<NewEvent>, Rejection> {
    let is_open = open_run(context)? == Some(run);
    let released = Released { run: run.to_owned() };
    let stream = stream(context)?;
    Ok(is_open.then(|| context.event_in(&stream, &released)))
}
