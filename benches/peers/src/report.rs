//! The comparison as a table, as CSV and as a chart.

use std::fs;
use std::io;
use std::path::PathBuf;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::common::allocations::Asked;
use crate::contender::Key;

pub(crate) struct Row {
    pub(crate) journey: &'static str,
    pub(crate) peer: &'static str,
    pub(crate) key: Key,
    pub(crate) blocks: usize,
    pub(crate) floor: f64,
    pub(crate) nanoseconds: f64,
    pub(crate) ratio: f64,
    pub(crate) median: f64,
    pub(crate) asked: Asked,
    pub(crate) note: &'static str,
}

#[derive(Default)]
pub(crate) struct Report(Vec<Row>);

/// A file among the results.
pub(crate) fn results(name: &str) -> io::Result<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../results");
    fs::create_dir_all(&folder)?;
    Ok(folder.join(name))
}

/// When, and on what kind of machine.
pub(crate) fn circumstances() -> String {
    let today = countersign::Timestamp::now().extended().to_string();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut features: Vec<&str> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        let found = [
            ("sha", is_x86_feature_detected!("sha")),
            ("avx2", is_x86_feature_detected!("avx2")),
            ("avx512f", is_x86_feature_detected!("avx512f")),
        ];
        features.extend(found.iter().filter(|(_, there)| *there).map(|(name, _)| *name));
    }
    #[cfg(target_arch = "aarch64")]
    if std::arch::is_aarch64_feature_detected!("sha2") {
        features.push("sha2");
    }
    format!(
        "{}, {}, {cores} cores, {}",
        today.split('T').next().unwrap_or_default(),
        std::env::consts::ARCH,
        features.join(" "),
    )
}

/// The version that was built, from the lock file; empty for ourselves.
fn version(peer: &str) -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let wanted = format!("name = \"{peer}\"");
    let mut lines = lock.lines().skip_while(|line| *line != wanted).skip(1);
    let version = lines.next().and_then(|line| line.strip_prefix("version = \""));
    version.and_then(|version| version.strip_suffix('"')).unwrap_or_default()
}

impl Report {
    /// Prints the row as well.
    pub(crate) fn add(&mut self, row: Row) {
        if self.0.last().is_none_or(|last| last.journey != row.journey) {
            println!(
                "\n{:<36} {:>8} {:>7} {:>10} {:>10} {:>7} {:>7} {:>7} {:>9}",
                row.journey,
                "key",
                "blocks",
                "floor ns",
                "ns",
                "ratio",
                "median",
                "allocs",
                "bytes"
            );
        }
        println!(
            "{:<36} {:>8} {:>7} {:>10.0} {:>10.0} {:>7.2} {:>7.2} {:>7} {:>9}  {}",
            format!("{} {}", row.peer, version(row.peer)),
            row.key.name(),
            row.blocks,
            row.floor,
            row.nanoseconds,
            row.ratio,
            row.median,
            row.asked.times,
            row.asked.bytes.round(),
            row.note,
        );
        self.0.push(row);
    }

    pub(crate) fn write(&self) -> io::Result<()> {
        let mut text = format!("# {}\n", circumstances());
        text.push_str(
            "journey,crate,version,key,compressions,floor ns,ns,ratio,median ratio,allocations,bytes,note\n",
        );
        for row in &self.0 {
            text.push_str(&format!(
                "\"{}\",{},{},{},{},{:.0},{:.0},{:.3},{:.3},{},{},\"{}\"\n",
                row.journey,
                row.peer,
                version(row.peer),
                row.key.name(),
                row.blocks,
                row.floor,
                row.nanoseconds,
                row.ratio,
                row.median,
                row.asked.times,
                row.asked.bytes.round(),
                row.note,
            ));
        }
        fs::write(results("peers.csv")?, text)?;
        self.chart().map_err(|error| io::Error::other(error.to_string()))
    }

    /// One panel for each journey; a bar is as long as the time is in times of the floor, on a
    /// logarithmic scale that begins at the floor.
    fn chart(&self) -> Result<(), Box<dyn std::error::Error>> {
        const WIDTH: i32 = 900;
        const LEFT: i32 = 250;
        const RIGHT: i32 = 780;
        const LINE: i32 = 20;
        const TITLE: i32 = 34;
        let longest = self.0.iter().map(|row| row.ratio).fold(2.0, f64::max);
        let place = |ratio: f64| {
            let share = ratio.max(1.0).ln() / longest.ln();
            LEFT + (f64::from(RIGHT - LEFT) * share) as i32
        };
        let mut journeys: Vec<&str> = self.0.iter().map(|row| row.journey).collect();
        journeys.dedup();
        let height = 70 + journeys.len() as i32 * TITLE + self.0.len() as i32 * LINE;

        let path = results("peers.svg")?;
        let area = SVGBackend::new(&path, (WIDTH as u32, height as u32)).into_drawing_area();
        area.fill(&WHITE)?;
        let style = |size: f64, color: &RGBColor, h, v| {
            ("sans-serif", size).into_font().color(color).pos(Pos::new(h, v))
        };
        let title = style(15.0, &BLACK, HPos::Left, VPos::Top);
        area.draw_text("Time as a multiple of the SHA-256 it needs", &title, (12, 10))?;
        let small = style(11.0, &GRAY, HPos::Left, VPos::Top);
        let about = format!("{}; logarithmic; shorter is better", circumstances());
        area.draw_text(&about, &small, (12, 32))?;
        let mut y = 56;
        for journey in journeys {
            area.draw_text(journey, &style(13.0, &BLACK, HPos::Left, VPos::Center), (12, y + 12))?;
            let rows = self.0.iter().filter(|row| row.journey == journey);
            let bottom = y + TITLE - 8 + rows.clone().count() as i32 * LINE;
            for tick in [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0] {
                if tick <= longest {
                    let x = place(tick);
                    area.draw(&PathElement::new([(x, y + 18), (x, bottom)], GRAY.mix(0.4)))?;
                    let number = style(10.0, &GRAY, HPos::Center, VPos::Center);
                    area.draw_text(&tick.to_string(), &number, (x, y + 12))?;
                }
            }
            y += TITLE - 8;
            for row in rows {
                let ours = row.peer == "countersign";
                let color = if ours { RGBColor(32, 110, 180) } else { RGBColor(170, 170, 170) };
                let name = format!("{} (key {})", row.peer, row.key.name());
                let label = style(11.0, &BLACK, HPos::Right, VPos::Center);
                area.draw_text(&name, &label, (LEFT - 8, y + LINE / 2))?;
                let (from, to) = ((LEFT, y + 3), (place(row.ratio), y + LINE - 3));
                area.draw(&Rectangle::new([from, to], color.filled()))?;
                let number = style(11.0, &BLACK, HPos::Left, VPos::Center);
                let text = format!("{:.2}  ({:.0} ns)", row.ratio, row.nanoseconds);
                area.draw_text(&text, &number, (place(row.ratio) + 6, y + LINE / 2))?;
                y += LINE;
            }
            y += 8;
        }
        area.present()?;
        Ok(())
    }
}

const GRAY: RGBColor = RGBColor(110, 110, 110);
