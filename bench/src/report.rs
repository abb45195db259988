//! The table of figures: what was measured, what it must be, and whether it is.

use std::fmt;

use anyhow::Result;

/// Where a figure must lie.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
    /// Nowhere, but what is measured must have arrived whole.
    Complete,
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(bound) => value <= bound,
            Self::AtLeast(bound) => value >= bound,
            Self::Complete => true,
        }
    }
}

/// What a figure must be, and what it should.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) must: Bound,
    pub(crate) goal: Bound,
}

/// A line of the table.
#[derive(Debug)]
pub(crate) struct Figure {
    /// What is measured.
    pub(crate) name: String,
    /// What it is divided by; empty where it stands for itself.
    pub(crate) over: &'static str,
    /// Empty for a ratio.
    pub(crate) unit: &'static str,
    /// What it must be and what it should; `None` where it is only told.
    pub(crate) bounds: Option<Bounds>,
    /// One value a round.
    pub(crate) rounds: Result<Vec<f64>>,
}

/// How a figure stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Nobody asks it to be anything.
    Told,
    Goal,
    Must,
    Missed,
    /// Something broke, or not everything arrived.
    NotMeasured,
}

impl Figure {
    fn verdict(&self) -> Verdict {
        let Ok(rounds) = &self.rounds else { return Verdict::NotMeasured };
        let Some(Bounds { must, goal }) = self.bounds else { return Verdict::Told };
        match median(rounds) {
            value if must.holds(value) && goal.holds(value) => Verdict::Goal,
            value if must.holds(value) => Verdict::Must,
            _ => Verdict::Missed,
        }
    }

    /// Whether it is measured, and as it must be.
    pub(crate) fn passes(&self) -> bool {
        matches!(self.verdict(), Verdict::Told | Verdict::Goal | Verdict::Must)
    }

    /// A number with its unit.
    fn shown(&self, value: f64) -> String {
        let digits = if value.abs() < 10.0 { 2 } else { 1 };
        format!("{value:.digits$}{}", self.unit)
    }

    fn measured(&self) -> String {
        match &self.rounds {
            Err(_) => "—".to_owned(),
            Ok(rounds) if rounds.len() == 1 => self.shown(median(rounds)),
            Ok(rounds) => {
                let (least, most) = (smallest(rounds), largest(rounds));
                format!("{} ({} to {})", self.shown(median(rounds)), self.shown(least), self.shown(most))
            }
        }
    }

    fn bound(&self, bound: Option<Bound>) -> String {
        match bound {
            None => String::new(),
            Some(Bound::AtMost(value)) => format!("≤ {value}{}", self.unit),
            Some(Bound::AtLeast(value)) => format!("≥ {value}{}", self.unit),
            Some(Bound::Complete) => "yes".to_owned(),
        }
    }
}

/// The figures as a table in Markdown.
pub(crate) struct Table<'a>(pub(crate) &'a [Figure]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| figure | measured | ÷ | must | goal | verdict |")?;
        writeln!(f, "| --- | --- | --- | --- | --- | --- |")?;
        for figure in self.0 {
            let verdict = match figure.verdict() {
                Verdict::Told => "",
                Verdict::Goal => "goal met",
                Verdict::Must => "must met",
                Verdict::Missed => "**missed**",
                Verdict::NotMeasured => "**not measured**",
            };
            writeln!(
                f,
                "| {} | {} | {} | {} | {} | {verdict} |",
                figure.name,
                figure.measured(),
                figure.over,
                figure.bound(figure.bounds.map(|bounds| bounds.must)),
                figure.bound(figure.bounds.map(|bounds| bounds.goal)),
            )?;
        }
        Ok(())
    }
}

/// The middle one. Not a number where there is none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[count / 2],
        count => f64::midpoint(sorted[count / 2 - 1], sorted[count / 2]),
    }
}

fn smallest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

fn largest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    fn figure(rounds: Result<Vec<f64>>) -> Figure {
        let bounds = Some(Bounds { must: Bound::AtMost(2.0), goal: Bound::AtMost(1.0) });
        Figure { name: "memory".into(), over: "", unit: " KB", bounds, rounds }
    }

    #[test]
    fn the_median_round_decides() {
        for (rounds, verdict) in [
            (Ok(vec![9.0, 0.9, 1.0]), Verdict::Goal),
            (Ok(vec![1.0, 1.2]), Verdict::Must),
            (Ok(vec![2.0]), Verdict::Must),
            (Ok(vec![2.1]), Verdict::Missed),
            (Ok(vec![]), Verdict::Missed),
            (Ok(vec![f64::NAN]), Verdict::Missed),
            (Err(anyhow!("3 deliveries are missing")), Verdict::NotMeasured),
        ] {
            let figure = figure(rounds);
            assert_eq!(figure.verdict(), verdict, "{figure:?}");
            assert_eq!(figure.passes(), matches!(verdict, Verdict::Goal | Verdict::Must));
        }
    }

    #[test]
    fn a_table_has_a_line_for_each_figure() {
        let complete = Some(Bounds { must: Bound::Complete, goal: Bound::AtLeast(3.0) });
        let figures = [
            figure(Ok(vec![1.0, 2.0, 30.0])),
            Figure { bounds: complete, ..figure(Err(anyhow!("cut off"))) },
            Figure { bounds: None, over: "the floor", unit: "", ..figure(Ok(vec![4.0])) },
        ];
        let lines = [
            "| figure | measured | ÷ | must | goal | verdict |",
            "| --- | --- | --- | --- | --- | --- |",
            "| memory | 2.00 KB (1.00 KB to 30.0 KB) |  | ≤ 2 KB | ≤ 1 KB | must met |",
            "| memory | — |  | yes | ≥ 3 KB | **not measured** |",
            "| memory | 4.00 | the floor |  |  |  |",
        ];
        assert_eq!(Table(&figures).to_string().lines().collect::<Vec<_>>(), lines);
    }
}
