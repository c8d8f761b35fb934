{ pkgs, ... }:

{
  services = {
    disnix = {
      enable = true;
      enableProfilePath = true;
    };

    # The legacy module "wrapper" runs ours in a systemd unit, whose end would be that of a keeper.
    dysnomia.enableLegacyModules = false;

    openssh.enable = true;
  };

  networking.firewall.enable = false;
}
