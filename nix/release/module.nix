# A test of ../module.nix: the proxy is replaced under a client, and started by its socket.

{ programs }:

{
  name = "disnix-tcp-proxy-module";

  nodes.machine = {
    imports = [ ../module.nix ];

    systemd.services.hello-world-server = {
      wantedBy = [ "multi-user.target" ];
      serviceConfig = {
        ExecStart = "${programs}/bin/hello-world-server 127.0.0.1:9080";
        DynamicUser = true;
      };
    };

    users.users.alice = {
      isNormalUser = true;
      extraGroups = [ "operators" ];
    };
    users.groups.operators = { };

    services.disnix-tcp-proxy = {
      always = {
        listen = "8080";
        upstream = "127.0.0.1:9080";
        threads = 2;
        controlGroup = "operators";
        extraOptions = [ "--idle-timeout" "1h" ];
        package = programs;
      };
      on-demand = {
        listen = "127.0.0.1:8081";
        upstream = "127.0.0.1:9080";
        socketActivation = true;
        exitIdleTime = "1s";
        package = programs;
      };
    };
  };

  testScript = ''
    # fmt: off
    machine.wait_for_unit("disnix-tcp-proxy-always.service")
    machine.wait_for_unit("hello-world-server.service")
    pid = "systemctl show --property MainPID --value disnix-tcp-proxy-always"

    with subtest("A reload keeps a connection, with another process"):
        machine.succeed(
            "(echo hello; while [ ! -e /tmp/again ]; do sleep 0.1; done; echo hello)"
            " | hello-world-client localhost:8080 >/tmp/replies 2>&1 &"
        )
        machine.wait_until_succeeds("grep 'Hello world!' /tmp/replies", timeout=60)
        before = machine.succeed(pid).strip()
        machine.succeed("systemctl reload disnix-tcp-proxy-always")
        machine.wait_until_succeeds(f"test $({pid}) != {before}", timeout=60)
        machine.succeed("touch /tmp/again")
        machine.wait_until_succeeds("test $(grep -c 'Hello world!' /tmp/replies) = 2", timeout=60)

    with subtest("Members of the group control the proxy, others do not"):
        status = "proxyctl --runtime-dir /run/disnix-tcp-proxy/8080 status"
        machine.succeed(f"su alice -c '{status}'")
        machine.fail(f"su nobody -s /bin/sh -c '{status}'")

    with subtest("A restart of a parked proxy loses nobody"):
        machine.succeed("proxyctl --port 8080 drain")
        machine.succeed("(echo hello | hello-world-client localhost:8080) >/tmp/held 2>&1 &")
        machine.wait_until_succeeds(
            "proxyctl --port 8080 status --json | grep '\"queued\":1'", timeout=60
        )
        machine.succeed("proxyctl --port 8080 park")
        machine.succeed("systemctl restart disnix-tcp-proxy-always")
        machine.succeed("proxyctl --port 8080 resume")
        machine.wait_until_succeeds("grep 'Hello world!' /tmp/held", timeout=60)

    with subtest("The socket starts the proxy, which ends when nobody is there"):
        machine.fail("systemctl is-active disnix-tcp-proxy-on-demand.service")
        machine.succeed("echo hello | hello-world-client 127.0.0.1:8081 | grep 'Hello world!'")
        machine.wait_until_fails("systemctl is-active disnix-tcp-proxy-on-demand.service", timeout=60)
        machine.succeed("echo hello | hello-world-client 127.0.0.1:8081 | grep 'Hello world!'")
    # fmt: on
  '';
}
