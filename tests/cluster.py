"""``python -m tests.cluster COMMAND ...``: COMMAND beside a real Slurm that has run jobs, and then is gone again.

slurmctld, four slurmd, slurmdbd with MariaDB, and slurmrestd, as Debian packs them (``PACKAGES``), on free ports of
this machine, in a folder of their own. Needs root, as slurmd does. COMMAND gets what operators set: SLURM_CONF,
SLURMRESTD_URL, SLURMRESTD_USER, SLURMRESTD_TOKEN. Exit: that of COMMAND.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.ports import free_ports

PACKAGES = (
    "munge", "mariadb-server", "slurm-client", "slurmctld", "slurmd", "slurmdbd", "slurmrestd", "slurm-wlm-jwt-plugin",
)  # fmt: skip
PROGRAMS = ("munged", "mariadbd", "slurmctld", "slurmd", "slurmdbd", "slurmrestd", "sacct", "sreport")
CLUSTER, NODES, PATH = "bench", 4, "/usr/sbin:/usr/bin:/sbin:/bin"
PEOPLE = {"alice": "physics", "bob": "physics", "carol": "chemistry"}
CONF = """ClusterName={cluster}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld}
SlurmUser=slurm
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={munge}
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key={jwt}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={folder}/ctld
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/ctld/pid
SlurmdPidFile={folder}/slurmd.%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
ReturnToService=2
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={dbd}
AccountingStoragePass={munge}
AccountingStorageEnforce=associations
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
DefMemPerCPU=256
{nodes}
PartitionName=normal Nodes=ALL Default=YES MaxTime=1-00:00:00 DefaultTime=00:10:00 State=UP
"""
DBD = """AuthType=auth/munge
AuthInfo=socket={munge}
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key={jwt}
CommunicationParameters=NoInAddrAny
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={dbd}
SlurmUser=slurm
PidFile={folder}/ctld/dbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StorageLoc=slurm_acct_db
"""


class Slurm:
    """One cluster of one machine. Whatever it starts, it stops."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.started = folder, []  # type: ignore[var-annotated]
        self.ctld, self.dbd, self.rest, *self.nodes = free_ports(3 + NODES)
        self.munge, self.socket = folder / "munge" / "socket", folder / "mysql" / "socket"
        self.environment = {
            **os.environ, "PATH": f"{os.environ.get('PATH', '')}:{PATH}", "TZ": "UTC", "HOME": str(folder),
            "SLURM_CONF": str(folder / "slurm.conf"), "MYSQL_UNIX_PORT": str(self.socket),
            "SLURMRESTD_URL": f"http://127.0.0.1:{self.rest}", "SLURMRESTD_USER": "root", "SLURM_CLUSTER": CLUSTER,
        }  # fmt: skip

    def run(self, *command: object, user: str = "root", **options: Any) -> str:
        done = subprocess.run(
            [str(part) for part in command], env=self.environment, cwd="/", user=user, group=pwd.getpwnam(user).pw_gid,
            extra_groups=[], capture_output=True, text=True, check=False, **options,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def spawn(self, *command: object, user: str = "root", **more: str) -> None:
        log = (self.folder / f"{Path(str(command[0])).name}.log").open("ab")
        self.started.append(subprocess.Popen(
            [str(part) for part in command], env=self.environment | more, cwd="/", user=user,
            group=pwd.getpwnam(user).pw_gid, extra_groups=[], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        ))  # fmt: skip

    def until(self, what: str, true: Callable[[], Any], seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(RuntimeError, OSError):
                if true():
                    return
            if time.monotonic() > end:
                logs = "".join(
                    f"\n{log.name}: {log.read_text(errors='replace')[-600:]}" for log in self.folder.glob("*.log")
                )
                raise RuntimeError(f"{what}: not within {seconds:.0f} s{logs}")
            time.sleep(0.1)

    def owned(self, name: str, user: str) -> Path:
        made = self.folder / name
        made.mkdir()
        shutil.chown(made, user)
        return made

    def secret(self, path: Path, user: str) -> Path:
        path.write_bytes(secrets.token_bytes(128))
        path.chmod(0o400)
        shutil.chown(path, user)
        return path

    def configure(self) -> None:
        host = socket.gethostname().split(".")[0]
        self.folder.chmod(0o755)
        jwt = self.secret(self.owned("ctld", "slurm") / "jwt.key", "slurm")
        nodes = "\n".join(
            f"NodeName=n{number} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} Sockets=1 CoresPerSocket=32"
            " ThreadsPerCore=1 RealMemory=65536"
            for number, port in enumerate(self.nodes, 1)
        )
        known = {"cluster": CLUSTER, "host": host, "ctld": self.ctld, "dbd": self.dbd, "munge": self.munge,
                 "jwt": jwt, "folder": self.folder, "nodes": nodes}  # fmt: skip
        (self.folder / "slurm.conf").write_text(CONF.format(**known))
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nIgnoreSystemd=yes\n")
        dbd = self.folder / "slurmdbd.conf"
        dbd.write_text(DBD.format(**known))
        dbd.chmod(0o600)
        shutil.chown(dbd, "slurm")

    def start(self) -> None:
        self.configure()
        key = self.secret(self.owned("munge", "munge") / "key", "munge")
        place = key.parent
        self.spawn("munged", "--foreground", "--force", "--key-file", key, "--socket", self.munge, "--pid-file",
                   place / "pid", "--log-file", place / "log", "--seed-file", place / "seed", user="munge")  # fmt: skip
        self.until("munged", self.munge.exists)
        self._start_accounting()
        self.spawn("slurmctld", "-D", user="slurm")
        self.until("slurmctld", lambda: "UP" in self.run("scontrol", "ping"))
        for number in range(1, NODES + 1):
            (self.folder / f"spool.n{number}").mkdir()
            self.spawn("slurmd", "-D", "-N", f"n{number}")
        self.until("slurmd", lambda: self.run("sinfo", "-h", "-o", "%T %D").split() == ["idle", str(NODES)])
        rest = "openapi/v0.0.38,openapi/dbv0.0.38"
        self.spawn("slurmrestd", "-a", "rest_auth/jwt", "-s", rest, f"127.0.0.1:{self.rest}", user="nobody",
                   SLURM_JWT="daemon", SLURMRESTD_SECURITY="disable_unshare_files,disable_unshare_sysv")  # fmt: skip
        self.until("slurmrestd", lambda: _open(self.rest))
        self.environment["SLURMRESTD_TOKEN"] = self.token("root")

    def _start_accounting(self) -> None:
        place = self.owned("mysql", "mysql")
        self.run("mariadb-install-db", "--no-defaults", "--user=mysql", f"--datadir={place}/data",
                 "--auth-root-authentication-method=socket", "--skip-test-db")  # fmt: skip
        self.spawn("mariadbd", "--no-defaults", "--user=mysql", f"--datadir={place}/data", f"--socket={self.socket}",
                   f"--pid-file={place}/pid", "--skip-networking", "--innodb-lock-wait-timeout=900")  # fmt: skip
        self.until(
            "mariadbd", lambda: self.run("mariadb-admin", "--no-defaults", "-S", self.socket, "-u", "root", "ping")
        )
        words = (
            "CREATE USER slurm@localhost IDENTIFIED VIA unix_socket; GRANT ALL ON slurm_acct_db.* TO slurm@localhost;"
        )
        self.run("mariadb", "--no-defaults", "-S", self.socket, "-u", "root", input=words)
        self.spawn("slurmdbd", "-D", user="slurm")
        self.until("slurmdbd", lambda: _open(self.dbd))
        self.run("sacctmgr", "-i", "add", "cluster", CLUSTER)
        for account in sorted(set(PEOPLE.values())):
            self.run("sacctmgr", "-i", "add", "account", account)
        for name, account in PEOPLE.items():
            if not _known(name):
                self.run("useradd", "-M", "-s", "/bin/sh", name)
            self.run("sacctmgr", "-i", "add", "user", name, f"account={account}")

    def token(self, name: str) -> str:
        return self.run("scontrol", "token", f"username={name}", "lifespan=3600").strip().removeprefix("SLURM_JWT=")

    def work(self) -> None:
        """Jobs of every ending: done, failed, out of time, taken back before and after it began, and arrays."""

        def submit(name: str, *options: str, then: str = "true") -> str:
            said = self.run("sbatch", "--parsable", "-o", "/dev/null", *options, "--wrap", then, user=name)
            return said.strip()

        for name in PEOPLE:
            submit(name, "-n4", "-J", "done", then="sleep 2")
            submit(name, "-n1", "-J", "failed", then="exit 3")
            submit(name, "-N2", "-n8", "--mem=1G", "-J", "งานวิจัย", then="sleep 1")
            submit(name, "--array=1-5", "-J", "array", then="sleep 1")
            held, running = submit(name, "-H"), submit(name, "-n2", then="sleep 600")
            self.until(
                "a job that runs", lambda job=running: "RUNNING" in self.run("squeue", "-h", "-j", job, "-o", "%T")
            )
            self.run("scancel", held, running)
        self.until("the end of all jobs", lambda: not self.run("squeue", "-h", "-o", "%i").strip())
        self.until("their records", self._recorded)

    def _recorded(self) -> bool:
        states = self.run("sacct", "-aXDPn", "-S", "2020-01-01", "-E", "now", "-o", "State").split("\n")
        return len([each for each in states if each]) >= 9 * len(PEOPLE) and "RUNNING" not in states

    def stop(self) -> None:
        for process in reversed(self.started):
            process.terminate()
        for process in reversed(self.started):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _known(name: str) -> bool:
    return any(each.pw_name == name for each in pwd.getpwall())


@contextlib.contextmanager
def running() -> Iterator[Slurm]:
    with tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as folder:
        slurm = Slurm(Path(folder))
        try:
            slurm.start()
            slurm.work()
            yield slurm
        finally:
            slurm.stop()


def main(command: list[str]) -> int:
    missing = [name for name in PROGRAMS if not shutil.which(name, path=PATH)]
    if os.geteuid() != 0 or missing:
        what = f"{', '.join(missing)} missing; apt-get install {' '.join(PACKAGES)}" if missing else "run it as root"
        print(f"No Slurm can be started here: {what}.", file=sys.stderr)  # noqa: T201
        return 69
    with running() as slurm:
        return subprocess.run(command, env=slurm.environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
