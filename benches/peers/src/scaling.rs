//! How our cost grows with the request: header fields, query parameters, length of the body.

use std::fs;
use std::hint::black_box;
use std::io;
use std::time::Duration;

use countersign::{ContentSha256, Event};
use plotters::prelude::*;

use crate::Options;
use crate::common::heads::{self, Buffer, Head};
use crate::common::rounds::{Candidate, candidate, interleaved};
use crate::common::streams::{self, READ};
use crate::contender::request;
use crate::report::{circumstances, results};

/// Times over a size, and the line through them.
pub(crate) struct Series {
    work: &'static str,
    /// What is counted.
    unit: &'static str,
    points: Vec<(f64, f64)>,
    fit: Fit,
}

struct Fit {
    offset: f64,
    slope: f64,
    /// How much of the variance the line explains.
    r2: f64,
}

impl Fit {
    /// Least squares.
    fn of(points: &[(f64, f64)]) -> Self {
        let count = points.len() as f64;
        let mean =
            |values: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(values).sum::<f64>() / count;
        let (x, y) = (mean(&|point| point.0), mean(&|point| point.1));
        let sum = |term: &dyn Fn(f64, f64) -> f64| {
            points.iter().map(|point| term(point.0 - x, point.1 - y)).sum::<f64>()
        };
        let (xx, xy, yy) = (sum(&|x, _| x * x), sum(&|x, y| x * y), sum(&|_, y| y * y));
        let slope = xy / xx;
        Self { offset: y - slope * x, slope, r2: xy * xy / (xx * yy) }
    }

    fn at(&self, x: f64) -> f64 {
        self.offset + self.slope * x
    }
}

type Point = (f64, Candidate<'static>);

pub(crate) fn measure(options: &Options) -> Vec<Series> {
    let fields = (4..=60).step_by(4).map(|count| (count as f64, Head::of(count, 0)));
    let parameters = (0..=100).step_by(10).map(|count| (count as f64, Head::of(4, count)));
    let lengths = (0..=8).map(|count| count * 128);
    let works: [(&'static str, &'static str, Vec<Point>); 6] = [
        ("sign", "header field", fields.clone().map(|(x, head)| (x, sign(head))).collect()),
        ("verify", "header field", fields.map(|(x, head)| (x, verify(head))).collect()),
        ("sign", "query parameter", parameters.clone().map(|(x, h)| (x, sign(h))).collect()),
        ("verify", "query parameter", parameters.map(|(x, head)| (x, verify(head))).collect()),
        (
            "sign",
            "KiB of body",
            lengths.clone().map(|len| (len as f64, sign_body(len * 1024))).collect(),
        ),
        (
            "verify",
            "KiB of body",
            lengths.map(|len| (len as f64, verify_body(len * 1024))).collect(),
        ),
    ];
    println!("\n{:<8} {:<16} {:>12} {:>12} {:>8}", "work", "per", "ns each", "ns at none", "R2");
    works
        .into_iter()
        .map(|(work, unit, points)| {
            let (sizes, mut candidates): (Vec<f64>, Vec<_>) = points.into_iter().unzip();
            let rounds = options.rounds.div_ceil(2);
            let times = interleaved(&mut candidates, rounds, Duration::from_micros(100));
            let times = times.iter().map(|times| times.quiet());
            let points: Vec<_> = sizes.into_iter().zip(times).collect();
            let fit = Fit::of(&points);
            let Fit { offset, slope, r2 } = fit;
            println!("{work:<8} {unit:<16} {slope:>12.1} {offset:>12.0} {r2:>8.4}");
            Series { work, unit, points, fit }
        })
        .collect()
}

fn sign(head: Head) -> Candidate<'static> {
    let request = request(head);
    let (signer, now) = (heads::signer(), heads::now());
    let mut buffer = Buffer::new();
    candidate(move || {
        heads::sign(black_box(&signer), black_box(request), black_box(now), &mut buffer);
    })
}

fn verify(head: Head) -> Candidate<'static> {
    let request = request(head.signed());
    let (verifier, key, now) = (heads::verifier(), heads::key(), heads::now());
    candidate(move || {
        heads::verify(black_box(&verifier), black_box(request), black_box(now), black_box(&key));
    })
}

fn sign_body(len: usize) -> Candidate<'static> {
    let (body, request) = (streams::data(len), request(streams::head()));
    let (signer, now) = (heads::signer(), heads::now());
    candidate(move || {
        let content = ContentSha256::of(black_box(&body));
        let signed = signer.sign(black_box(request), content, black_box(now)).expect("signed");
        black_box(signed.signature());
    })
}

fn verify_body(len: usize) -> Candidate<'static> {
    let body = streams::data(len);
    let mut head = streams::head();
    head.fields.push(("Content-Length".to_owned(), len.to_string()));
    let content = ContentSha256::of(&body);
    let added: Vec<_> = {
        let headers = head.headers();
        let signed = heads::signer().sign(&head.request(&headers), content, heads::now());
        let signed = signed.expect("signed");
        signed.headers().map(|(name, value)| (name.to_owned(), value.to_string())).collect()
    };
    head.fields.extend(added);
    let request = request(head);
    let (verifier, key, now) = (heads::verifier(), heads::key(), heads::now());
    candidate(move || {
        let mut machine = streams::body(&verifier, black_box(request), black_box(now), &key);
        for read in black_box(&body).chunks(READ) {
            if let Event::Data(data) = machine.feed(read).expect("a good body").event {
                black_box(data.into_unverified());
            }
        }
        let _ = black_box(machine.finish().expect("a whole body"));
    })
}

pub(crate) fn write(series: &[Series]) -> io::Result<()> {
    let mut text = format!("# {}\n", circumstances());
    for Series { work, unit, fit, .. } in series {
        let Fit { offset, slope, r2 } = fit;
        text.push_str(&format!(
            "# {work}: {offset:.0} ns + {slope:.1} ns per {unit}, R2 {r2:.4}\n"
        ));
    }
    text.push_str("work,per,count,ns\n");
    for Series { work, unit, points, .. } in series {
        for (x, y) in points {
            text.push_str(&format!("{work},{unit},{x},{y:.0}\n"));
        }
    }
    fs::write(results("scaling.csv")?, text)?;
    chart(series).map_err(|error| io::Error::other(error.to_string()))
}

/// One panel for each unit; points are measured, lines fitted.
fn chart(series: &[Series]) -> Result<(), Box<dyn std::error::Error>> {
    let path = results("scaling.svg")?;
    let area = SVGBackend::new(&path, (900, 1000)).into_drawing_area();
    area.fill(&WHITE)?;
    let about = format!("Cost of a request; {}", circumstances());
    let area = area.titled(&about, ("sans-serif", 15))?;
    let mut units: Vec<&str> = series.iter().map(|series| series.unit).collect();
    units.dedup();
    for (panel, unit) in area.split_evenly((units.len(), 1)).iter().zip(units) {
        let shown: Vec<&Series> = series.iter().filter(|series| series.unit == unit).collect();
        let most = |part: &dyn Fn(&(f64, f64)) -> f64| {
            shown.iter().flat_map(|series| &series.points).map(part).fold(0.0, f64::max)
        };
        let (right, top) = (most(&|point| point.0), most(&|point| point.1));
        let mut chart = ChartBuilder::on(panel)
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(70)
            .build_cartesian_2d(0.0..right * 1.02, 0.0..top / 1000.0 * 1.1)?;
        let description =
            if unit == "KiB of body" { "KiB of body".to_owned() } else { format!("{unit}s") };
        chart
            .configure_mesh()
            .x_desc(description)
            .y_desc("µs")
            .x_label_formatter(&|x| format!("{x:.0}"))
            .y_label_formatter(&|y| format!("{y:.0}"))
            .light_line_style(TRANSPARENT)
            .draw()?;
        for (series, color) in shown.iter().zip([RGBColor(32, 110, 180), RGBColor(200, 90, 40)]) {
            let Fit { slope, r2, .. } = series.fit;
            let name = format!("{}: {slope:.1} ns each, R² = {r2:.4}", series.work);
            let line = [0.0, right].map(|x| (x, series.fit.at(x) / 1000.0));
            chart
                .draw_series(LineSeries::new(line, color))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color));
            let points = series.points.iter().map(|(x, y)| (*x, y / 1000.0));
            chart.draw_series(points.map(|point| Circle::new(point, 3, color.filled())))?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .border_style(BLACK.mix(0.3))
            .background_style(WHITE)
            .draw()?;
    }
    area.present()?;
    Ok(())
}
