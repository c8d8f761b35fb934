# What the section Service of a systemd unit of the proxy says, for Disnix and for NixOS alike.

{ lib }:

{ port
  # A command that has another process take over.
, reload
, stopTimeout
  # Whether it has a user of its own and its directory in /run, so that it can be locked up.
, isSandboxed
  # Whether a group may control it.
, isShared ? false
}:

{
  # The proxy says when it listens; and who it is, when another process of it has taken over.
  Type = "notify";
  NotifyAccess = "all";
  ExecReload = reload;
  Restart = "on-failure";
  # It cuts what is left by itself after the first of these; systemd adds them.
  TimeoutStopSec = "${stopTimeout} 10s";
  # Two for each client.
  LimitNOFILE = 524288;
  # Once the unit stops, none of its processes is left. The keeper is none of them: it belongs to
  # whoever had the proxy parked, and proxyctl must not be called from here for that.
  KillMode = "control-group";
} // lib.optionalAttrs isSandboxed (import ./sandbox.nix // {
  RuntimeDirectory = "disnix-tcp-proxy/${toString port}";
  RuntimeDirectoryMode = if isShared then "0750" else "0700";
  # A keeper is in it while the unit is stopped, and a record.
  RuntimeDirectoryPreserve = "yes";

  # Not here: PrivateUsers and DynamicUser, since the keeper and the next process must have the same
  # user.
  CapabilityBoundingSet = if port < 1024 then "CAP_NET_BIND_SERVICE" else "";
  AmbientCapabilities = if port < 1024 then "CAP_NET_BIND_SERVICE" else "";
  RestrictAddressFamilies = "AF_UNIX AF_INET AF_INET6 AF_NETLINK";
  SystemCallFilter = "@system-service";
})
