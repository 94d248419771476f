"""Where work lies on JetStream: a subject for each piece, a durable consumer for each queue."""

import nats.js.errors
from nats.js import JetStreamContext, api

from services.common.events import WORK_STREAM, subject_token, work_subject
from services.generator.domain.gpu_work import Queue

ACK_WAIT = 30.0


def place(queue: Queue, work: str = "*") -> str:
    """Return the subject of one piece of work, or of all of a queue."""
    token = work if work == "*" else subject_token(work)
    return f"{work_subject(queue.engine, queue.tier)}.{queue.priority}.{token}"


def consumer_name(queue: Queue) -> str:
    """Return the durable name of a queue's consumer: what an autoscaler looks at."""
    return f"gpu-{subject_token(queue.engine)}-{queue.tier}-{queue.priority}"


async def make_consumer(js: JetStreamContext, queue: Queue, *, ack_wait: float = ACK_WAIT) -> None:
    """Make a queue's consumer, or give the one that is there this longest silence in seconds."""
    config = api.ConsumerConfig(
        name=consumer_name(queue),
        durable_name=consumer_name(queue),
        ack_policy=api.AckPolicy.EXPLICIT,
        ack_wait=ack_wait,
        filter_subject=place(queue),
        max_deliver=-1,  # counted by the worker, which says why it gives up
    )
    await js.add_consumer(WORK_STREAM, config)


async def ensure_consumer(js: JetStreamContext, queue: Queue) -> None:
    """Make a queue's consumer unless it is there: before any worker, who may wait to be woken."""
    try:
        await js.consumer_info(WORK_STREAM, consumer_name(queue))
    except nats.js.errors.NotFoundError:
        await make_consumer(js, queue)
