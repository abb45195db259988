//! Labels whose values are the variants of an enum, written as Prometheus writes names.

use std::{fmt, marker::PhantomData, ops::Index, sync::Arc};

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder},
    metrics::{MetricType, TypedMetric},
};

/// What the values of one label are.
pub(super) trait Label: Copy + fmt::Debug + Send + Sync + 'static {
    /// The label.
    const NAME: &'static str;
    /// Every value, each at the place that [`Self::place`] says.
    const ALL: &'static [Self];

    fn place(self) -> usize;

    fn text(self) -> &'static str;
}

/// Declares an enum that is a [`Label`].
macro_rules! label {
    (
        $(#[$doc:meta])* $name:ident as $label:literal {
            $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $crate::telemetry::label::Label for $name {
            const NAME: &'static str = $label;
            const ALL: &'static [Self] = &[$(Self::$variant,)*];

            fn place(self) -> usize {
                self as usize
            }

            fn text(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

pub(super) use label;

/// A problem's `code`, of which there are as many as kinds of problems.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Code {
    pub(super) code: &'static str,
}

/// One metric for each value of a label. All are there from the beginning, so that nothing is looked up or locked to count
/// in one, and a series that is 0 can be told from one that is missing.
pub(super) struct PerLabel<L, M> {
    metrics: Arc<[M]>,
    label: PhantomData<L>,
}

impl<L: Label, M> PerLabel<L, M> {
    pub(super) fn new(make: impl Fn() -> M) -> Self {
        Self { metrics: L::ALL.iter().map(|_| make()).collect(), label: PhantomData }
    }
}

impl<L: Label, M: Default> Default for PerLabel<L, M> {
    fn default() -> Self {
        Self::new(M::default)
    }
}

impl<L, M> Clone for PerLabel<L, M> {
    fn clone(&self) -> Self {
        Self { metrics: Arc::clone(&self.metrics), label: PhantomData }
    }
}

impl<L, M: fmt::Debug> fmt::Debug for PerLabel<L, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&*self.metrics).finish()
    }
}

impl<L: Label, M> Index<L> for PerLabel<L, M> {
    type Output = M;

    fn index(&self, label: L) -> &M {
        &self.metrics[label.place()]
    }
}

impl<L: Label, M: EncodeMetric + TypedMetric> EncodeMetric for PerLabel<L, M> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for label in L::ALL {
            self[*label].encode(encoder.encode_family(&[(L::NAME, label.text())])?)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        M::TYPE
    }
}
