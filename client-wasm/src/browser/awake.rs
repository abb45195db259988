//! What the page's own life tells.

use std::cell::Cell;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use gloo_events::EventListener;
use wasm_bindgen::JsCast;
use web_sys::EventTarget;

/// Tells when the device finds a network again, the page is looked at again, or is back from where browsers keep pages that
/// were left. Dropped, it listens no longer.
pub(super) struct Awake {
    bell: Rc<Bell>,
    _listeners: Vec<EventListener>,
}

#[derive(Default)]
struct Bell {
    has_rung: Cell<bool>,
    waker: AtomicWaker,
}

impl Bell {
    fn ring(&self) {
        self.has_rung.set(true);
        self.waker.wake();
    }
}

impl Awake {
    pub(super) fn new() -> Self {
        let bell = Rc::<Bell>::default();
        let listen = |target: &EventTarget, name: &'static str| {
            let bell = Rc::clone(&bell);
            EventListener::new(target, name, move |_| bell.ring())
        };
        let mut listeners = Vec::new();
        // Workers have a network, but no pages to look at.
        if let Ok(global) = js_sys::global().dyn_into::<EventTarget>() {
            listeners.extend(["online", "pageshow"].map(|name| listen(&global, name)));
        }
        if let Some(document) = web_sys::window().and_then(|window| window.document()) {
            listeners.push(listen(&document, "resume"));
            let (bell, page) = (Rc::clone(&bell), document.clone());
            listeners.push(EventListener::new(&document, "visibilitychange", move |_| {
                if !page.hidden() {
                    bell.ring();
                }
            }));
        }
        Self { bell, _listeners: listeners }
    }

    /// Ready once for all that was told since the last time.
    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<()> {
        self.bell.waker.register(context.waker());
        if self.bell.has_rung.take() { Poll::Ready(()) } else { Poll::Pending }
    }
}
