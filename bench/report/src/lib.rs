//! Figures: what was measured, what it must be, and whether it is. Each benchmark prints its own, one JSON object a line; whoever runs them makes
//! one [`Table`] of all.

use std::{
    fmt,
    io::{self, Write},
};

use serde::{Deserialize, Serialize};

/// Where a figure must lie.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// Here or below.
    AtMost(f64),
    /// Here or above.
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

/// A line of the table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What is measured.
    pub name: String,
    /// What it is divided by; empty where it stands for itself.
    pub over: String,
    /// Empty for a ratio.
    pub unit: String,
    /// What it must be, if anything.
    pub must: Option<Bound>,
    /// What it should be, if anything.
    pub goal: Option<Bound>,
    /// One value a round, or why there is none.
    pub rounds: Rounds,
}

/// What a figure's rounds gave, or why they gave nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounds {
    /// One value a round.
    Measured(Vec<f64>),
    /// Something broke, or not everything arrived.
    Failed(String),
}

impl Default for Rounds {
    fn default() -> Self {
        Self::Measured(Vec::new())
    }
}

impl<E: fmt::Display> From<Result<Vec<f64>, E>> for Rounds {
    fn from(rounds: Result<Vec<f64>, E>) -> Self {
        match rounds {
            Ok(rounds) if rounds.is_empty() => Self::Failed("no round was measured".to_owned()),
            Ok(rounds) if rounds.iter().all(|value| value.is_finite()) => Self::Measured(rounds),
            Ok(rounds) => Self::Failed(format!("not numbers: {rounds:?}")),
            Err(error) => Self::Failed(format!("{error:#}")),
        }
    }
}

/// How a figure stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody asks it to be anything.
    Told,
    /// It is as it should be.
    GoalMet,
    /// It is as it must be, and not as it should.
    MustMet,
    /// It is not as it should be, and need not be anything.
    GoalMissed,
    /// It is not as it must be.
    Missed,
    /// There are no rounds.
    NotMeasured,
}

impl Figure {
    /// How it stands, by its median.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let Rounds::Measured(rounds) = &self.rounds else { return Verdict::NotMeasured };
        let middle = median(rounds);
        let holds = |bound: Option<Bound>| bound.map(|bound| bound.holds(middle));
        match (holds(self.must), holds(self.goal)) {
            _ if rounds.is_empty() => Verdict::NotMeasured,
            (Some(false), _) => Verdict::Missed,
            (_, Some(true)) => Verdict::GoalMet,
            (Some(true), _) => Verdict::MustMet,
            (None, Some(false)) => Verdict::GoalMissed,
            (None, None) => Verdict::Told,
        }
    }

    /// Whether it is measured, and as it must be.
    #[must_use]
    pub fn passes(&self) -> bool {
        !matches!(self.verdict(), Verdict::Missed | Verdict::NotMeasured)
    }

    /// Reads what [`print()`] has written.
    ///
    /// # Errors
    /// If a line is no figure.
    pub fn read_all(lines: &str) -> serde_json::Result<Vec<Self>> {
        lines.lines().map(serde_json::from_str).collect()
    }

    /// A number with its unit.
    fn shown(&self, value: f64) -> String {
        let digits = if value.abs() < 10.0 { 2 } else { 1 };
        format!("{value:.digits$}{}", self.unit)
    }

    fn measured(&self) -> String {
        match &self.rounds {
            Rounds::Measured(rounds) if rounds.len() == 1 => self.shown(median(rounds)),
            Rounds::Measured(rounds) if !rounds.is_empty() => {
                let (least, most) = (smallest(rounds), largest(rounds));
                format!("{} ({} to {})", self.shown(median(rounds)), self.shown(least), self.shown(most))
            }
            _ => "—".to_owned(),
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

/// Prints figures to standard output, one a line.
///
/// # Errors
/// If nobody reads them.
pub fn print(figures: &[Figure]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for figure in figures {
        serde_json::to_writer(&mut out, figure)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// The figures as a table in Markdown.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a>(pub &'a [Figure]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| figure | measured | ÷ | must | goal | verdict |")?;
        writeln!(f, "| --- | --- | --- | --- | --- | --- |")?;
        for figure in self.0 {
            let verdict = match figure.verdict() {
                Verdict::Told => "",
                Verdict::GoalMet => "goal met",
                Verdict::MustMet => "must met",
                Verdict::GoalMissed => "goal missed",
                Verdict::Missed => "**missed**",
                Verdict::NotMeasured => "**not measured**",
            };
            let Figure { name, over, .. } = figure;
            let (must, goal) = (figure.bound(figure.must), figure.bound(figure.goal));
            writeln!(f, "| {name} | {} | {over} | {must} | {goal} | {verdict} |", figure.measured())?;
        }
        Ok(())
    }
}

/// The middle one. Not a number where there is none.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
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
    use super::*;

    fn figure(rounds: Result<Vec<f64>, &str>) -> Figure {
        Figure {
            name: "memory".into(),
            unit: " KB".into(),
            must: Some(Bound::AtMost(2.0)),
            goal: Some(Bound::AtMost(1.0)),
            rounds: rounds.into(),
            ..Figure::default()
        }
    }

    #[test]
    fn the_median_round_decides() {
        for (rounds, verdict) in [
            (Ok(vec![9.0, 0.9, 1.0]), Verdict::GoalMet),
            (Ok(vec![1.0, 1.2]), Verdict::MustMet),
            (Ok(vec![2.0]), Verdict::MustMet),
            (Ok(vec![2.1]), Verdict::Missed),
            (Ok(vec![]), Verdict::NotMeasured),
            (Ok(vec![f64::NAN]), Verdict::NotMeasured),
            (Err("3 deliveries are missing"), Verdict::NotMeasured),
        ] {
            let figure = figure(rounds);
            assert_eq!(figure.verdict(), verdict, "{figure:?}");
            assert_eq!(figure.passes(), matches!(verdict, Verdict::GoalMet | Verdict::MustMet));
        }
    }

    #[test]
    fn what_only_should_be_passes_where_it_is_not() {
        let of = |value| Figure { must: None, ..figure(Ok(vec![value])) };
        assert_eq!((of(1.0).verdict(), of(1.0).passes()), (Verdict::GoalMet, true));
        assert_eq!((of(1.1).verdict(), of(1.1).passes()), (Verdict::GoalMissed, true));
    }

    #[test]
    fn a_line_comes_back() {
        let figures =
            [figure(Ok(vec![1.5, 2.0])), Figure { must: Some(Bound::Complete), goal: None, ..figure(Err("cut off")) }];
        let lines: String = figures.iter().map(|figure| serde_json::to_string(figure).unwrap() + "\n").collect();
        assert_eq!(Figure::read_all(&lines).unwrap(), figures);
        assert!(Figure::read_all("figure").is_err());
    }

    #[test]
    fn a_table_has_a_line_for_each_figure() {
        let told =
            Figure { must: None, goal: None, over: "the floor".into(), unit: String::new(), ..Figure::default() };
        let figures = [
            figure(Ok(vec![1.0, 2.0, 30.0])),
            Figure { must: Some(Bound::Complete), goal: Some(Bound::AtLeast(3.0)), ..figure(Err("cut off")) },
            Figure { name: "memory".into(), rounds: Rounds::Measured(vec![4.0]), ..told },
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
