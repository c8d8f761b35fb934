# HOST:PORT of a service that another one depends on.

service:

let
  host = service.target.properties.hostname;
  isIPv6 = builtins.match ".*:.*" host != null;
in
"${if isIPv6 then "[${host}]" else host}:${toString service.port}"
