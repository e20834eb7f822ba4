//! A server that is a list of replies, for the fuzz targets: everything but `ssh` is what a run uses.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use openssh_sftp_client::{Sftp, SftpOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::connection::Connections;
use super::{SftpStore, expected};
use crate::capabilities::Measurable;
use crate::fuzzing::Listed;
use crate::network::wait_for;
use crate::store::Store;

/// What a server replies to one request for names: the type of the packet, and what follows behind the number of the request.
#[derive(Clone, Debug)]
pub struct SftpReply {
    /// The type: 104 for names.
    pub kind: u8,
    /// The rest.
    pub body: Vec<u8>,
}

const ROOT: &str = "/srv";

/// Types of packets (draft-ietf-secsh-filexfer-02, 3).
const VERSION: u8 = 2;
const STATUS: u8 = 101;
const HANDLE: u8 = 102;
const NAME: u8 = 104;

/// Lists the root as a run would, with these replies one after another, and the end of the listing after them.
///
/// # Panics
///
/// When the client does not take the server for one.
pub fn list_over_sftp(replies: Vec<SftpReply>) -> Listed {
    wait_for(async move {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let (stdout, stdin) = tokio::io::split(ours);
        let server = tokio::spawn(serve(theirs, replies.into()));
        let options = SftpOptions::new().flush_interval(Duration::from_micros(1));
        let sftp = Sftp::new(stdin, stdout, options).await.expect("it has said which version it speaks");
        let store = Arc::new(SftpStore {
            connections: Connections::over(sftp),
            root: PathBuf::from(ROOT),
            location: "sftp://server.invalid/srv".to_owned(),
            capabilities: Measurable::new(expected()),
        });
        let mut pages = store.list(b"/");
        let mut listed = Vec::new();
        while let Some(page) = pages.next().await {
            listed.push(page);
            if listed.last().is_some_and(Result::is_err) {
                break;
            }
        }
        drop(pages);
        server.abort();
        let _ = server.await;
        listed
    })
}

/// Answers until the client hangs up.
async fn serve(mut stream: DuplexStream, mut replies: VecDeque<SftpReply>) {
    loop {
        let Ok(length) = stream.read_u32().await else { return };
        let mut request = vec![0; length as usize];
        if stream.read_exact(&mut request).await.is_err() {
            return;
        }
        let id = request.get(1..5).unwrap_or_default().to_vec();
        let (kind, body) = match request.first() {
            // Its version stands where the number of a request does.
            Some(1) => (VERSION, Vec::new()),
            // REALPATH
            Some(16) => (NAME, [&1_u32.to_be_bytes(), &text(ROOT.as_bytes())[..], &text(b""), &[0; 4]].concat()),
            // OPENDIR
            Some(11) => (HANDLE, text(b"h")),
            // READDIR
            Some(12) => match replies.pop_front() {
                Some(reply) => (reply.kind, reply.body),
                None => (STATUS, status(1)),
            },
            // CLOSE
            Some(4) => (STATUS, status(0)),
            _ => (STATUS, status(8)),
        };
        let length = u32::try_from(1 + id.len() + body.len()).expect("a packet is small");
        let packet = [&length.to_be_bytes()[..], &[kind], &id, &body].concat();
        if stream.write_all(&packet).await.is_err() {
            return;
        }
    }
}

fn text(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).expect("a name is short").to_be_bytes(), bytes].concat()
}

fn status(code: u32) -> Vec<u8> {
    [&code.to_be_bytes()[..], &text(b""), &text(b"")].concat()
}
