# What Disnix makes of models: the component of each service, and its type.

{ pkgs
  # Models.
, services
, distribution
, infrastructure
  # Further parameters of the services model.
, parameters ? { }
}:

let
  distributed = import distribution { inherit infrastructure; };

  described = import services ({
    system = builtins.currentSystem;
    invDistribution = { };
    distribution = distributed;
    inherit pkgs;
  } // parameters);

  # A service as one sees it that depends on it.
  seen = service: service // { target = builtins.head distributed.${service.name}; };

  componentOf = service:
    if builtins.isFunction service.pkg
    then service.pkg (builtins.mapAttrs (_: seen) (service.dependsOn or { }))
    else service.pkg;
in
# Those of the distribution, no others.
builtins.mapAttrs
  (name: _: {
    inherit (described.${name}) type;
    component = componentOf described.${name};
  })
  distributed
