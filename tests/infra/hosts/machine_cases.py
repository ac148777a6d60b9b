"""Hosts whose system, machine, kernel options or disk is not as it should be."""

from tests.infra.fake_host import LINE
from tests.infra.hosts.case import Case, both, command_line, has, mounts, says

GOOD_LINE = LINE.rstrip(b"\n") + b" cgroup_memory=1 cgroup_enable=memory cgroup_enable=cpuset\n"
HOOK = "etc/kernel/postinst.d/z50-raspi-firmware"
HOOK_TEXT = "#!/bin/sh\ncat /etc/default/raspi-extra-cmdline\n"
SERVER = (("ROLE", "server"),)

CASES = {
    "32-bit kernel": Case(says("uname", "echo armv7l"), "error", "kernel", ("armv7l", "needs aarch64")),
    "32-bit programs": Case(says("getconf", "echo 32"), "error", "programs", ("32-bit", "64-bit image")),
    "pages of 16 KiB": Case(
        says("getconf", 'if [ "$1" = PAGESIZE ]; then echo 16384; else echo 64; fi'),
        "info",
        "page-size",
        ("16 KiB",),
    ),
    "no systemd": Case(
        lambda host: (host.root / "run/systemd/system").rmdir(),
        "error",
        "systemd",
        ("systemd is not running",),
    ),
    "hostname of nobody": Case(
        lambda host: (host.fake / "hostname").write_text("localhost\n"), "error", "hostname", ("'localhost'",)
    ),
    "no machine id": Case(
        has("etc/machine-id"), "error", "machine-id", ("empty", "/var/lib/dbus/machine-id")
    ),
    "machine id of an image": Case(
        has("etc/machine-id", "uninitialized\n"), "error", "machine-id", ("is uninitialized",)
    ),
    "clock of the last shutdown": Case(
        says("date", 'if [ "$*" = +%s ]; then echo 1700000000; else exec /bin/date "$@"; fi'),
        "error",
        "clock",
        ("not be valid yet", "set-ntp true"),
    ),
    "no time server": Case(says("timedatectl", "echo no"), "warning", "clock-server", ("no time server",)),
    "little memory": Case(
        has("proc/meminfo", "MemTotal:  430000 kB\n"), "error", "memory", ("419 MiB", "needs 480 MiB")
    ),
    "little memory for a server": Case(
        has("proc/meminfo", "MemTotal:  930000 kB\n"), "warning", "memory", ("908 MiB", "2 GB"), SERVER
    ),
    "zram": Case(
        has("proc/swaps", "Filename Type Size\n/dev/zram0 partition 2097148 0 100\n"),
        "warning",
        "swap",
        ("/dev/zram0", "compressed memory"),
    ),
    "swap file": Case(
        has("proc/swaps", "Filename Type Size\n/var/swap file 102396 0 -2\n"),
        "warning",
        "swap",
        ("/var/swap",),
    ),
    "kernel without pids": Case(
        has("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory\n"),
        "error",
        "kernel",
        ("no pids controller", "k3s needs it"),
    ),
    "one core": Case(says("nproc", "echo 1"), "warning", "cores", ("1 core",)),
    "weak power supply": Case(
        says("vcgencmd", "echo throttled=0x50005"),
        "warning",
        "power",
        ("now: under-voltage, throttled", "since the boot: under-voltage, throttled"),
    ),
    "hot": Case(
        has("sys/class/thermal/thermal_zone0/temp", "83100\n"), "warning", "temperature", ("83 degrees",)
    ),
    "kernel options missing": Case(
        command_line(LINE), "info", "kernel-options", ("lacks cgroup_memory=1", "restarts the host once")
    ),
    "hook that rewrites the line": Case(
        has(HOOK, HOOK_TEXT), "info", "kernel-options", ("anew", "/etc/default/raspi-extra-cmdline")
    ),
    "hook with two lines": Case(
        both(has(HOOK, HOOK_TEXT), has("etc/default/raspi-extra-cmdline", "a\nb\n")),
        "error",
        "kernel-options",
        ("/etc/default/raspi-extra-cmdline has more than one line",),
    ),
    "options by model": Case(
        has("boot/firmware/config.txt", "[pi4]\nos_prefix=four/\n[all]\n"),
        "warning",
        "firmware",
        ("os_prefix=",),
    ),
    "two boot partitions": Case(
        has("boot/firmware/autoboot.txt", "[all]\ntryboot_a_b=1\n"), "warning", "firmware", ("tryboot",)
    ),
    "overlay root": Case(
        mounts("overlay / overlay rw,upperdir=/media/root-rw/overlay 0 0"),
        "error",
        "root",
        ("overlay in memory",),
    ),
    "overlay root from the next boot on": Case(
        command_line(GOOD_LINE.replace(b"\n", b" boot=overlay\n")), "error", "root", ("disable_overlayfs",)
    ),
    "root on NFS": Case(
        mounts("10.0.0.1:/srv/pi / nfs4 rw 0 0"), "error", "root", ("over the network", "10.0.0.1:/srv/pi")
    ),
    "root on NBD": Case(mounts("/dev/nbd0 / ext4 rw 0 0"), "error", "root", ("/dev/nbd0",)),
    "data on a USB stick as bought": Case(
        both(
            mounts("/dev/mmcblk0p2 / ext4 rw 0 0", "/dev/sda1 /var/lib/rancher vfat rw 0 0"),
            lambda host: (host.root / "var/lib/rancher").mkdir(),
        ),
        "error",
        "data-directory",
        ("is on vfat (/dev/sda1)", "ext4"),
    ),
    "card of 8 GB": Case(
        says("df", 'printf "h\\n/dev/x 7600000 3400000 4200000 45%% /\\n"'),
        "error",
        "room",
        ("4101 MiB free", "5120 MiB", "371 MiB", "larger card"),
    ),
    "few inodes": Case(
        says(
            "df",
            'case $1 in -Pi) printf "h\\nx 120000 60000 60000 50%% /\\n" ;; '
            '*) printf "h\\nx 30000000 1 29999999 1%% /\\n" ;; esac',
        ),
        "error",
        "inodes",
        ("60000 more files",),
    ),
}
