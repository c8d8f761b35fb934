# Dysnomia's module for a process manager.

{ processManager }:

{
  bsdrc = "bsdrc-script";
  cygrunsrv = "cygrunsrv-service";
  disnix = "process";
  docker = "docker-container";
  launchd = "launchd-daemon";
  s6-rc = "s6-rc-service";
  supervisord = "supervisord-program";
  systemd = "systemd-unit";
  sysvinit = "sysvinit-script";
}.${processManager}
