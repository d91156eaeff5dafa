//! Live progress of several things on standard error: lines that update in place at a terminal,
//! one plain line for each change elsewhere.

use std::{
    io::{IsTerminal, stderr},
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// How often a spinner turns.
const TICK: Duration = Duration::from_millis(120);

/// A line for each thing that is followed.
#[derive(Debug)]
pub(crate) struct Board {
    lines: Vec<Line>,
    bars: Option<MultiProgress>,
}

#[derive(Debug)]
struct Line {
    name: String,
    told: String,
    bar: Option<ProgressBar>,
}

impl Board {
    /// A board with a line for each name.
    pub(crate) fn new(names: impl IntoIterator<Item = String>) -> Self {
        let bars = stderr().is_terminal().then(MultiProgress::new);
        let mut board = Self { lines: Vec::new(), bars };
        for name in names {
            let bar = board.bars.as_ref().map(|bars| bars.add(bar(&name)));
            board.lines.push(Line { name, told: String::new(), bar });
        }
        board
    }

    /// Tells how far the `index`th thing is; telling the same twice shows it once.
    pub(crate) fn tell(&mut self, index: usize, news: &str) {
        self.update(index, news, false);
    }

    /// Tells how the `index`th thing ended.
    pub(crate) fn end(&mut self, index: usize, news: &str) {
        self.update(index, news, true);
    }

    fn update(&mut self, index: usize, news: &str, ended: bool) {
        let Some(line) = self.lines.get_mut(index) else { return };
        if let Some(bar) = &line.bar {
            if ended {
                bar.finish_with_message(news.to_owned());
            } else {
                bar.set_message(news.to_owned());
            }
        } else if line.told != news {
            eprintln!("{}: {news}", line.name);
        }
        news.clone_into(&mut line.told);
    }
}

fn bar(name: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {prefix} {msg}").expect("a constant template");
    let bar = ProgressBar::new_spinner().with_style(style).with_prefix(name.to_owned());
    bar.enable_steady_tick(TICK);
    bar
}
