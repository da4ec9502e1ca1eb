"""One row per Slurm allocation record. Integers only: seconds, cores, GPUs, MiB."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.projects import test_accounts

# States of a record that has not ended; every other state is final.
ACTIVE_STATES = (
    "PENDING", "RUNNING", "SUSPENDED", "CONFIGURING", "COMPLETING", "STOPPED", "SIGNALING", "STAGE_OUT",
    "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD",
)  # fmt: skip


class Hold(models.TextChoices):
    """Whether a job is kept off documents. Flagged by the import, lifted by finance."""

    NONE = "", _("none")
    RUNAWAY = "runaway", _("runaway: implausibly long")
    CLEARED = "cleared", _("looked at, may be billed")


class JobQuerySet(models.QuerySet["Job"]):
    def ended(self) -> JobQuerySet:
        return self.filter(end_at__isnull=False)

    def chargeable(self, free_states: list[str]) -> JobQuerySet:
        """Ended jobs that used something, whose state is not free of charge and which nobody holds back."""
        return self.ended().filter(elapsed_seconds__gt=0).exclude(state__in=free_states).exclude(hold=Hold.RUNAWAY)

    def real(self) -> JobQuerySet:
        """Without those of the accounts of organisations with a test clock."""
        return self.exclude(account__in=test_accounts())

    def unbilled(self) -> JobQuerySet:
        return self.filter(claimed_by="")


class Job(models.Model):
    """An allocation. ``job_key`` = cluster:JobIDRaw:submit epoch (cluster:JobID:end epoch without a submit time).

    ``username`` and ``account`` are text: people leave, their jobs stay.
    ``raw`` is the record as it came: JSON, or a line whose columns its import run names.
    ``claimed_by`` names the one live document that bills it (``receipt:12``); only ``usage.services.claims`` sets it.
    """

    id = models.BigAutoField(primary_key=True)
    job_key = models.CharField(_("job key"), max_length=160)
    cluster = models.CharField(_("cluster"), max_length=64)
    job_id = models.BigIntegerField(_("raw job id"))
    job_id_display = models.CharField(_("job id"), max_length=80)
    array_job_id = models.BigIntegerField(_("array job"), null=True, blank=True)
    array_task_id = models.BigIntegerField(_("array task"), null=True, blank=True)
    het_job_id = models.BigIntegerField(_("heterogeneous job"), null=True, blank=True)
    het_offset = models.IntegerField(_("component"), null=True, blank=True)
    username = models.CharField(_("user"), max_length=120)
    account = models.CharField(_("account"), max_length=120, blank=True, default="")
    partition = models.CharField(_("partition"), max_length=255, blank=True, default="")
    qos = models.CharField(_("QOS"), max_length=120, blank=True, default="")
    job_name = models.CharField(_("name"), max_length=255, blank=True, default="")
    state = models.CharField(_("state"), max_length=40)
    exit_code = models.CharField(_("exit code"), max_length=20, blank=True, default="")
    submit_at = models.DateTimeField(_("submitted"), null=True, blank=True)
    start_at = models.DateTimeField(_("started"), null=True, blank=True)
    end_at = models.DateTimeField(_("ended"), null=True, blank=True)
    elapsed_seconds = models.BigIntegerField(
        _("elapsed seconds"),
        default=0,
        help_text=_("Time that is counted: without suspended time and without the overlap of a resized job."),
    )
    overlap_seconds = models.BigIntegerField(
        _("overlap seconds"),
        default=0,
        db_default=0,
        help_text=_("Time that the record of the job before its resize has counted already."),
    )
    cpus = models.BigIntegerField(_("CPUs"), default=0)
    gpus = models.BigIntegerField(_("GPUs"), default=0)
    gpu_types = models.JSONField(_("GPU types"), default=dict, blank=True)
    mem_mib = models.BigIntegerField(_("memory (MiB)"), default=0)
    nodes = models.BigIntegerField(_("nodes"), default=0)
    billing_tres = models.BigIntegerField(_("Slurm billing units"), null=True, blank=True)
    req_cpus = models.BigIntegerField(_("CPUs requested"), default=0)
    req_gpus = models.BigIntegerField(_("GPUs requested"), default=0)
    req_mem_mib = models.BigIntegerField(_("memory requested (MiB)"), default=0)
    used_cpu_seconds = models.BigIntegerField(
        _("used CPU seconds"),
        null=True,
        blank=True,
        help_text=_("What the job's processes used; empty when the source does not say."),
    )
    cpu_core_seconds = models.BigIntegerField(_("core seconds"), default=0)
    gpu_seconds = models.BigIntegerField(_("GPU seconds"), default=0)
    mem_mib_seconds = models.BigIntegerField(_("MiB seconds"), default=0)
    claimed_by = models.CharField(_("billed on"), max_length=40, blank=True, default="")
    hold = models.CharField(_("hold"), max_length=10, choices=Hold, blank=True, default="", db_default="")
    source = models.CharField(_("source"), max_length=20)
    import_run = models.ForeignKey("usage.ImportRun", models.PROTECT, db_index=False, verbose_name=_("import run"))
    raw = models.TextField(_("record as it came"), blank=True, default="")
    created_at = models.DateTimeField(_("first seen"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("last change"), db_default=Now(), editable=False)

    objects = JobQuerySet.as_manager()

    class Meta:
        db_table = "jobs"
        ordering = ("-end_at", "-id")
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        indexes = (
            # usage pages: one user's jobs by end
            models.Index("username", models.F("end_at").desc(), models.F("id").desc(), name="idx_jobs_user_end"),
            # pages of who leads a project: the jobs of its Slurm accounts by end
            models.Index("account", models.F("end_at").desc(), models.F("id").desc(), name="idx_jobs_account_end"),
            # what somebody has not paid for yet, among millions of jobs
            models.Index(
                "username", "end_at", condition=models.Q(claimed_by="", end_at__isnull=False), name="idx_jobs_unbilled"
            ),
            # lines of a document; empty claims are left out, so importing costs nothing
            models.Index(fields=["claimed_by"], condition=~models.Q(claimed_by=""), name="idx_jobs_claimed"),
            # records without a submit time, which may meet the same record under its full key; usually none
            models.Index(fields=["job_key"], condition=models.Q(submit_at__isnull=True), name="idx_jobs_weak_key"),
            # what has not ended, and what is held back: few rows, so importing costs nothing
            models.Index(fields=["username"], condition=models.Q(end_at__isnull=True), name="idx_jobs_open"),
            models.Index(fields=["hold"], condition=~models.Q(hold=""), name="idx_jobs_hold"),
        )
        constraints = (
            # not unique=True: that would add a second index, for LIKE, which every import would have to fill
            models.UniqueConstraint(fields=["job_key"], name="jobs_job_key_unique"),
            models.CheckConstraint(condition=models.Q(hold__in=Hold.values), name="jobs_hold_known"),
            models.CheckConstraint(
                condition=models.Q(
                    elapsed_seconds__gte=0,
                    overlap_seconds__gte=0,
                    cpus__gte=0,
                    gpus__gte=0,
                    mem_mib__gte=0,
                    nodes__gte=0,
                    cpu_core_seconds__gte=0,
                    gpu_seconds__gte=0,
                    mem_mib_seconds__gte=0,
                ),
                name="jobs_amounts_not_negative",
            ),
            models.CheckConstraint(
                condition=models.Q(used_cpu_seconds__isnull=True) | models.Q(used_cpu_seconds__gte=0),
                name="jobs_used_cpu_not_negative",
            ),
            models.CheckConstraint(
                condition=models.Q(claimed_by="") | models.Q(end_at__isnull=False), name="jobs_claimed_only_when_ended"
            ),
        )

    def __str__(self) -> str:
        return self.job_key

    @property
    def has_ended(self) -> bool:
        return self.end_at is not None
