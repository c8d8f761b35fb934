# Stands in for the module system of NixOS, as far as one module with instances needs it.

let
  inherit (builtins) attrNames elem filter isAttrs isBool isInt isList isString mapAttrs match;

  simple = name: check: { inherit name; merge = path: value:
    if check value then value else throw "${path} is not of type ${name}"; };

  # The values of options: those given, or else their defaults.
  valuesOf = path: options: given:
    let unknown = filter (name: !(options ? ${name})) (attrNames given); in
    if unknown != [ ] then throw "${path} has no option ${builtins.head unknown}"
    else mapAttrs
      (name: option:
        if given ? ${name} then option.type.merge "${path}.${name}" given.${name}
        else option.default or (throw "${path}.${name} is not defined"))
      options;
in
rec {
  mkOption = option:
    assert isString option.description;
    option // { _type = "option"; };
  mkIf = condition: content: { inherit condition content; };
  literalExpression = text: { inherit text; };

  types = rec {
    bool = simple "bool" isBool;
    str = simple "str" isString;
    package = simple "package" isAttrs;
    enum = values: simple "enum" (value: elem value values);
    strMatching = pattern: simple "string matching ${pattern}"
      (value: isString value && match pattern value != null);
    ints.positive = simple "positive" (value: isInt value && value > 0);
    nullOr = type: { merge = path: value: if value == null then null else type.merge path value; };
    either = one: other: {
      merge = path: value:
        if (builtins.tryEval (one.merge path value)).success
        then value else other.merge path value;
    };
    listOf = type: {
      merge = path: value:
        if isList value then map (type.merge path) value else throw "${path} is not a list";
    };
    attrsOf = type: {
      merge = path: mapAttrs (name: type.mergeNamed name "${path}.${name}");
    };
    submodule = function: rec {
      mergeNamed = name: path: valuesOf path (function { inherit name; }).options;
      merge = mergeNamed "";
    };
  };

  # What a module makes of the instances of a service.
  evaluate = { module, pkgs, service, instances }:
    let
      inherit (pkgs) lib;
      evaluated = module {
        inherit lib pkgs;
        config.services.${service} =
          evaluated.options.services.${service}.type.merge "services.${service}" instances;
      };
      inherit (evaluated.config) condition content;
      failed = filter ({ assertion, ... }: !assertion) content.assertions;
    in
    if !condition then { }
    else if failed != [ ] then throw (builtins.concatStringsSep "\n" (map (one: one.message) failed))
    else content;
}
