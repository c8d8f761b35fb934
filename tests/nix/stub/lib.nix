# Of nixpkgs' library, what is used here.

let
  inherit (builtins) attrNames concatStringsSep elem filter foldl' functionArgs hasAttr head
    intersectAttrs isAttrs isFunction listToAttrs replaceStrings stringLength substring tail;
in
rec {
  inherit (builtins) all any elemAt genList;
  inherit elem filter functionArgs head isAttrs isFunction replaceStrings tail concatStringsSep;

  # Functions.
  callPackageWith = packages: expression: arguments:
    let function = if isFunction expression then expression else import expression;
    in function (intersectAttrs (functionArgs function) packages // arguments);

  # Attribute sets.
  filterAttrs = condition: set: listToAttrs (map (name: { inherit name; value = set.${name}; })
    (filter (name: condition name set.${name}) (attrNames set)));
  genAttrs = names: function: listToAttrs (map (name: { inherit name; value = function name; }) names);
  mapAttrsToList = function: set: map (name: function name set.${name}) (attrNames set);
  mapAttrs' = function: set: listToAttrs (mapAttrsToList function set);
  nameValuePair = name: value: { inherit name value; };
  attrValues = builtins.attrValues;
  optionalAttrs = condition: set: if condition then set else { };
  recursiveUpdate = left: right: left // mapAttrs
    (name: value:
      if hasAttr name left && isAttrs left.${name} && isAttrs value
      then recursiveUpdate left.${name} value
      else value)
    right;
  mapAttrs = builtins.mapAttrs;
  isDerivation = value: value.type or null == "derivation";

  # Lists.
  concatMap = function: list: concatLists (map function list);
  concatLists = builtins.concatLists;
  findFirst = condition: default: list:
    let found = filter condition list; in if found == [ ] then default else head found;
  foldr = operation: end: list:
    if list == [ ] then end else operation (head list) (foldr operation end (tail list));
  fold = foldr;
  intersectLists = list: filter (item: elem item list);
  subtractLists = list: filter (item: !(elem item list));
  optional = condition: item: if condition then [ item ] else [ ];
  optionals = condition: list: if condition then list else [ ];
  range = first: last: builtins.genList (index: first + index) (last - first + 1);
  unique = foldl' (list: item: if elem item list then list else list ++ [ item ]) [ ];

  # Modules, see module.nix.
  inherit (import ./module.nix) literalExpression mkIf mkOption types;

  # Strings.
  addContextFrom = from: to: substring 0 0 from + to;
  concatStrings = concatStringsSep "";
  concatMapStrings = function: list: concatStrings (map function list);
  concatMapStringsSep = separator: function: list: concatStringsSep separator (map function list);
  escape = characters: replaceStrings characters (map (character: "\\${character}") characters);
  escapeShellArg = argument: "'${replaceStrings [ "'" ] [ "'\\''" ] (toString argument)}'";
  escapeShellArgs = arguments: concatStringsSep " " (map escapeShellArg arguments);
  hasPrefix = prefix: text: substring 0 (stringLength prefix) text == prefix;
  removePrefix = prefix: text:
    if hasPrefix prefix text then substring (stringLength prefix) (-1) text else text;
  optionalString = condition: text: if condition then text else "";
  toLower = replaceStrings upper lower;
  toUpper = replaceStrings lower upper;
  upper = letters "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  lower = letters "abcdefghijklmnopqrstuvwxyz";
  letters = text: map (index: substring index 1 text) (range 0 25);

  fakeHash = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  licenses.mit = { spdxId = "MIT"; };
}
