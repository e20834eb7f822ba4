//! The Flusher: flushes the destination to disk on a thread of its own, while the other actors continue.

use std::sync::Arc;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Recipient, WrapFuture};
use longhaul_storage::Store;

use crate::messages::{DeathNotice, Flush, Flushed};

/// Flushes one store.
#[derive(Debug)]
pub(crate) struct Flusher {
    store: Arc<dyn Store>,
    flushed: Recipient<Flushed>,
    #[expect(dead_code, reason = "it speaks when it is dropped")]
    death_notice: DeathNotice,
}

impl Flusher {
    /// The Flusher of this store.
    pub(crate) fn new(store: Arc<dyn Store>, flushed: Recipient<Flushed>, death_notice: DeathNotice) -> Self {
        Flusher { store, flushed, death_notice }
    }
}

impl Actor for Flusher {
    type Context = Context<Self>;
}

impl Handler<Flush> for Flusher {
    type Result = ();

    fn handle(&mut self, _: Flush, ctx: &mut Self::Context) {
        let store = self.store.clone();
        let flush = async move { store.flush().await };
        ctx.wait(flush.into_actor(self).map(|flushed, this, _| this.flushed.do_send(Flushed(flushed))));
    }
}
