"""Everything that can be configured in the orchestrator."""

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.common.embedders.settings import EmbeddingSettings
from services.orchestrator.domain.cache.policy import CachePolicy
from services.orchestrator.domain.films.likeness import LikenessRule
from services.orchestrator.domain.money.ledger import KEPT, LATE_AGES
from services.orchestrator.domain.policy import (
    ModerationPolicy,
    Quota,
    Screening,
    TenantPolicy,
)


class Settings(EmbeddingSettings):
    """Read from ORCHESTRATOR_*, and from the names that all services share."""

    model_config = SettingsConfigDict(env_prefix="ORCHESTRATOR_")
    service: ClassVar[str] = "orchestrator"

    address: str = "127.0.0.1:50051"
    """host:port to listen on, and where the others dial."""
    generator_address: str = Field("127.0.0.1:50052", validation_alias="GENERATOR_ADDRESS")
    """Where the generator is."""
    storage_address: str = Field("127.0.0.1:50053", validation_alias="STORAGE_ADDRESS")
    """Where storage is."""
    prompt_address: str = Field("127.0.0.1:50054", validation_alias="PROMPT_ADDRESS")
    """Where the prompt service is."""
    role: Literal["all", "front", "worker"] = "all"
    """front answers calls, worker makes jobs, all does both; production runs them apart."""
    executor: str = Field("", validation_alias=AliasChoices("ORCHESTRATOR_EXECUTOR", "POD_NAME"))
    """Name of this worker, unique among those alive; "" is POD_NAME, else host and process."""
    jobs_at_once: int = Field(500, ge=1, le=10_000)
    """Jobs that one worker has in work; most of them only wait for a vendor."""
    edits_at_once: int = Field(20, ge=1, le=1000)
    """Edits of pictures that one worker has in work."""
    job_deadline: timedelta = timedelta(hours=2)
    """How long a job may take from its start."""
    settle_every: timedelta = timedelta(seconds=15)
    """How often late charges of vendors are asked for."""
    settle_ages_seconds: tuple[Annotated[float, Field(gt=0)], ...] = LATE_AGES
    """Ages at which an attempt that was never settled is asked about, from its first hold; a JSON
    list."""
    film_orders_kept: timedelta = KEPT
    """Age up to which what a film that was given up has ordered is left to its end, from its first
    hold; more than `GENERATOR_DEADLINE`, or what is still made then is stopped."""
    lease: timedelta = timedelta(seconds=6)
    """How long a worker that is silent keeps its jobs (PostgreSQL)."""
    allow_placeholder: bool = False
    """Whether the storyboard placeholder may stand in where a request does not say."""
    territory: str = ""
    """Where clips are made and shown, ISO 3166-1, such as KE; unset leaves out every model whose
    licence excludes some countries."""
    commercial: bool = True
    """Whether clips may be sold; false admits models whose licence forbids that."""
    moderation: Screening = Screening.FULL
    """How prompts are screened where a tenant has not said: off, rules or full."""
    moderation_url: str = ""
    """Base of an OpenAI-compatible moderation endpoint, such as https://api.openai.com/v1; unset
    asks none."""
    moderation_api_key: SecretStr = SecretStr("")
    """Its key."""
    moderation_model: str = "omni-moderation-latest"
    """The model that judges."""
    budget_alerts: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = (80, 100)
    """Percents of a limit at which an event tells that so much is used; a JSON list."""
    tenant_jobs_at_once: int = Field(0, ge=0)
    """Most jobs of one tenant that have not ended; 0 is no limit."""
    tenant_jobs_per_minute: int = Field(0, ge=0)
    """Most jobs of one tenant that one front accepts in a minute; 0 is no limit."""

    likeness_least: float = Field(0.7, ge=0, le=1)
    """Films: what looks less than this like the character sheet that it follows is made again,
    where a film does not say; 1 is the same picture, 0 takes everything as it comes."""
    likeness_retries: int = Field(1, ge=0, le=3)
    """Films: how often at most; the best is kept."""

    cache: bool = True
    """Whether stored clips are served again to equal requests of the same tenant."""
    cache_lifetime: timedelta = timedelta(days=90)
    """How long a clip may be served again."""
    cache_entries_per_tenant: int = Field(0, ge=0)
    """Most clips of a tenant that may be served again; those used longest ago go; 0 is no limit."""
    cache_ahead_every: timedelta = Field(timedelta(minutes=15), ge=timedelta(seconds=1))
    """How often it is looked which clips are worth making again before they expire, for tenants
    that give money for it."""
    cache_placeholders: bool = False
    """Whether a placeholder's clip answers the same request again, flagged as a placeholder."""
    cache_across_languages: bool = False
    """Whether words in one language may find a clip that was asked for in another."""
    embeddings: Literal["lexical", "local", "endpoint"] = "lexical"
    """How prompts are compared: by their words, by a model in this process, or by an endpoint."""

    def policy(self) -> TenantPolicy:
        """What holds for a tenant that has set nothing."""
        return TenantPolicy(
            commercial=self.commercial,
            territory=self.territory,
            moderation=ModerationPolicy(screening=self.moderation),
            quota=Quota(
                jobs_at_once=self.tenant_jobs_at_once or None,
                jobs_per_minute=self.tenant_jobs_per_minute or None,
            ),
        )

    def likeness(self) -> LikenessRule:
        """What holds for a film that says nothing of it."""
        return LikenessRule(least=self.likeness_least, retries=self.likeness_retries)

    def cache_policy(self) -> CachePolicy:
        """What holds for the cache of this deployment."""
        return CachePolicy(
            enabled=self.cache,
            lifetime=self.cache_lifetime,
            placeholders=self.cache_placeholders,
            across_languages=self.cache_across_languages,
            most_entries=self.cache_entries_per_tenant,
        )
