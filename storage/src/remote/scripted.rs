//! A server that is a list of answers, for the fuzz targets: everything but the network is what a run uses.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use opendal::{Buffer, Error, HttpBody, HttpTransport, HttpTransporter};
use parking_lot::Mutex;

use super::transport::transport_over;
use super::{RemoteStore, listing};
use crate::error::StoreError;
use crate::fuzzing::Listed;
use crate::location::Location;
use crate::network::wait_for;
use crate::secrets;

/// What a server answers to one request.
#[derive(Clone, Debug)]
pub struct HttpAnswer {
    /// The status; one that is none is taken for 200.
    pub status: u16,
    /// What `Retry-After` or `Location` says, where there is such a header.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

struct Script(Mutex<VecDeque<HttpAnswer>>);

impl HttpTransport for Script {
    async fn fetch(&self, _request: http::Request<Buffer>) -> Result<http::Response<HttpBody>, Error> {
        let end = || HttpAnswer { status: 404, headers: Vec::new(), body: Vec::new() };
        let answer = self.0.lock().pop_front().unwrap_or_else(end);
        let (head, tail) = answer.body.split_at(answer.body.len() / 2);
        let pieces = [head, tail].map(|piece| Ok(Buffer::from(piece.to_vec())));
        // An empty piece means the end.
        let pieces: Vec<_> =
            pieces.into_iter().filter(|piece| !matches!(piece, Ok(bytes) if bytes.is_empty())).collect();
        let mut response = http::Response::new(HttpBody::new(stream::iter(pieces), Some(answer.body.len() as u64)));
        *response.status_mut() = http::StatusCode::from_u16(answer.status).unwrap_or_default();
        for (name, value) in answer.headers {
            if let Ok(value) = http::HeaderValue::try_from(value) {
                response.headers_mut().insert(name, value);
            }
        }
        Ok(response)
    }
}

/// Lists a folder of the store at `location` as a run would, with these answers one after another, and 404 after them.
/// `secret` is what authenticates us.
///
/// # Panics
///
/// When there is no such store.
pub fn list_over_http(location: &str, path: &[u8], secret: &str, answers: Vec<HttpAnswer>) -> Listed {
    let Ok(Location::Remote(url)) = Location::parse(location) else { panic!("no remote store: {location}") };
    secrets::know(&secret.into());
    let mut store = RemoteStore::unopened(&url).expect("it can be made");
    let script = HttpTransporter::new(Script(Mutex::new(answers.into())));
    let context = store.operator.base_context().with_http_transport(transport_over(script));
    store.operator = store.operator.with_context(context);
    let mut pages = listing::list(Arc::new(store), path);
    wait_for(async move {
        let mut listed: Vec<Result<_, StoreError>> = Vec::new();
        while let Some(page) = pages.next().await {
            listed.push(page);
            if listed.last().is_some_and(Result::is_err) {
                break;
            }
        }
        listed
    })
}
