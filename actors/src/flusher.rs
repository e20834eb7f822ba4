//! The Flusher: makes what was written to the destination durable, on a thread of its own, while others go on.

use std::sync::Arc;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, WrapFuture};
use longhaul_storage::{Store, StoreError};

use crate::messages::{ActorDied, DeathNotice, Which};

/// DB actor → Flusher: return when everything that was written before is durable.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Flush;

/// Flusher → DB actor: the answer to [`Flush`].
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Flushed(pub Result<(), StoreError>);

/// Flushes one store.
#[derive(Debug)]
pub struct Flusher {
    store: Arc<dyn Store>,
    flushed: Recipient<Flushed>,
    #[expect(dead_code, reason = "it speaks when it is dropped")]
    death_notice: DeathNotice,
}

impl Flusher {
    /// The Flusher of this store.
    pub fn new(store: Arc<dyn Store>, flushed: Recipient<Flushed>, died: Recipient<ActorDied>) -> Self {
        Flusher { store, flushed, death_notice: DeathNotice::new(Which::Flusher, died) }
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
