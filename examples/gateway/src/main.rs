//! The command: reads options, starts the gateway, says how to use it, waits for a signal.
//!
//! What it prints never contains a secret: the lines to paste read it from the credentials file.
//! It deliberately knows nothing of requests.

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;
use gateway::{Config, Gateway};
use tracing_subscriber::EnvFilter;

/// Logged at these levels whatever is asked for: at others, these crates may show heads.
const QUIET: [&str; 5] = ["h2=info", "hyper=info", "rustls=info", "s3s=off", "s3s_fs=off"];

#[tokio::main]
async fn main() -> ExitCode {
    let config = Config::parse();
    if let Err(error) = log(&config.log) {
        eprintln!("gateway: --log: {error}");
        return ExitCode::from(2);
    }
    let gateway = match Gateway::start(&config).await {
        Ok(gateway) => gateway,
        Err(error) => {
            eprintln!("gateway: {error}");
            return ExitCode::FAILURE;
        }
    };
    greet(&config, &gateway);
    match wait(&gateway).await {
        Ok(signal) => tracing::info!(signal, "stopping"),
        Err(error) => tracing::error!(%error, "cannot wait for signals, stopping"),
    }
    gateway.stop().await;
    ExitCode::SUCCESS
}

/// Sends the log to standard error; standard output is for what [`greet`] says.
fn log(filter: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut filter: EnvFilter = filter.parse()?;
    for quiet in QUIET {
        filter = filter.add_directive(quiet.parse()?);
    }
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .try_init()
}

/// Says where the gateway is and how to talk to it.
fn greet(config: &Config, gateway: &Gateway) {
    let scheme = if gateway.certificate().is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}", gateway.address());
    let region = &config.region;
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let file = quoted(&absolute(&config.credentials).to_string_lossy());
    println!("listening on {url}");
    println!();
    match &config.upstream {
        Some(upstream) => println!("upstream     {upstream}"),
        None => println!("data         {}", absolute(&config.data).display()),
    }
    println!("credentials  {}", absolute(&config.credentials).display());
    for (profile, name) in gateway.profiles() {
        println!("             [{profile}] {name}");
    }
    if config.upload_page.is_some() {
        println!("upload page  {url}/_/upload");
    }
    // Whom clients have to trust, unless they trust a certificate's issuer anyway.
    let certificate = gateway.certificate().map(&absolute);
    if let Some(certificate) = &certificate {
        println!("certificate  {}", certificate.display());
    }
    let trusted = certificate.map(|path| quoted(&path.to_string_lossy()));
    let (bundle, authority) = trusted.map_or_else(Default::default, |file| {
        (format!("AWS_CA_BUNDLE={file} "), format!("--cacert {file} "))
    });
    // An environment that names other keys would win over the file, unless a profile is asked for.
    let profile = gateway.profiles().first().map_or("default", |(profile, _)| profile.as_str());
    let profile = quoted(profile);
    println!(
        r#"
AWS CLI:
  gw() {{ {bundle}AWS_SHARED_CREDENTIALS_FILE={file} aws --profile {profile} \
    --region {region} --endpoint-url {url} s3 "$@"; }}
  echo hello > hello.txt
  gw mb s3://demo && gw cp hello.txt s3://demo/ && gw ls s3://demo && gw cp s3://demo/hello.txt -
  gw rm s3://demo/hello.txt && gw rb s3://demo

boto3:
  {bundle}AWS_SHARED_CREDENTIALS_FILE={file} python3 -c 'import boto3, sys
s3 = boto3.Session(profile_name=sys.argv[1]).client(
    "s3", endpoint_url="{url}", region_name="{region}")
s3.create_bucket(Bucket="demo")
s3.put_object(Bucket="demo", Key="hello.txt", Body=b"hello")
print(s3.get_object(Bucket="demo", Key="hello.txt")["Body"].read())' {profile}

curl:
  KEY=$(sed -n 's/^aws_access_key_id *= *//p' {file} | head -n 1)
  SECRET=$(sed -n 's/^aws_secret_access_key *= *//p' {file} | head -n 1)
  sign() {{ curl -sS {authority}--aws-sigv4 aws:amz:{region}:s3 -u "$KEY:$SECRET" \
    -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' "$@"; }}
  echo hello > hello.txt
  sign -X PUT {url}/demo
  sign -T hello.txt {url}/demo/hello.txt
  sign {url}/demo/hello.txt
"#
    );
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Waits until the gateway is asked to stop; reads credentials and certificate again when it is asked to.
#[cfg(unix)]
async fn wait(gateway: &Gateway) -> std::io::Result<&'static str> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = interrupt.recv() => return Ok("SIGINT"),
            _ = terminate.recv() => return Ok("SIGTERM"),
            _ = hangup.recv() => match gateway.reload() {
                Ok(()) => tracing::info!("credentials and certificate read again"),
                Err(error) => tracing::error!(%error, "not everything could be read again"),
            },
        }
    }
}

/// Waits until the gateway is asked to stop.
#[cfg(not(unix))]
async fn wait(_: &Gateway) -> std::io::Result<&'static str> {
    tokio::signal::ctrl_c().await?;
    Ok("ctrl-c")
}
