//! The simulator over HTTP: a server for its worlds, and a client.
//!
//! | route | does |
//! |---|---|
//! | `GET /health` | says that it is there |
//! | `POST /api/v1/items/list` | lists a folder: `{parent, after?, limit?}` → `{folders, files, next?}` |
//! | `POST /api/v1/items/folder` | creates a folder: `{parent, name}` |
//! | `POST /api/v1/items/file` | writes a file: `{parent, name, data, modified_ns?, replace?}`, `data` in base64 |
//! | `GET /api/v1/items/{id}`, `GET /api/v1/node/{id}` | looks at a node, and says in which worlds it is |
//! | `GET /api/v1/items/{id}/data` | reads a file: `{data, checksum, size}`, or with `Range`, or where `application/octet-stream` is accepted, its bytes |
//! | `PATCH /api/v1/node/{id}` | sets a time: `{modified_ns}` |
//! | `DELETE /api/v1/node/{id}` | removes a node, and all that is in it |
//! | `POST /api/v1/uploads` | begins a file that is too large for one message: `{parent, name, replace?}` → `{upload_id}` |
//! | `PUT /api/v1/uploads/{id}?offset=N` | adds bytes to it, the body as it is |
//! | `POST /api/v1/uploads/{id}/finish` | gives it its name: `{size, modified_ns?}` |
//! | `DELETE /api/v1/uploads/{id}` | gives it up |
//! | `POST /api/v1/reset` | forgets what was written, in all worlds |
//! | `POST /api/v1/flush` | answers when what was written would survive a power cut |
//! | `GET /api/v1/config` | the configuration |
//! | `GET /api/v1/stats` | files, folders and bytes of `primary`, nodes of the other worlds, listings of each |
//! | `GET /api/v1/tables`, `GET /api/v1/tables/{world}/count` | the worlds, and how many nodes one has |
//!
//! `parent` is `parent_id`, or `parent_path` with `table_name`, which is the world. An id is the world and the path in
//! base64 for URLs, so that it means the same to every server of the configuration. Where a name is not UTF-8 its bytes
//! are in `name_base64`, in answers and in requests. A failed call has `{success: false, message, class,
//! retry_after_ms?}`. With the header `x-spectra-undisturbed` a call meets no faults, limits or latencies, and listings
//! are not counted.

mod client;
mod server;
mod wire;

pub use client::{Client, Upload};
pub use server::Server;
