"""What a product of an engine of ours cost."""

from services.generator.domain.facts import Cost
from services.generator.domain.gpu_cost import GpuUse, cost_micros
from services.generator.engines.engine import Product


def cost_of(product: Product, rate_micros_per_hour: int | None) -> Cost | None:
    """Return what the GPU's time costs: None where its rate is unknown, free without a GPU."""
    if not product.gpu_seconds:
        return Cost(micros=0, source="free")
    if rate_micros_per_hour is None:
        return None
    use = GpuUse(
        busy_seconds=product.gpu_seconds,
        load_seconds=product.load_seconds,
        served=product.served,
    )
    return Cost(micros=cost_micros(rate_micros_per_hour, use), source="measured")
