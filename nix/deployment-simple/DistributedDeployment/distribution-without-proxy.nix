{ infrastructure }:

let
  # The client's machine, if there is more than one.
  inherit (infrastructure) test1;
  test2 = infrastructure.test2 or test1;
in
{
  hello_world_server = [ test1 ];
  hello_world_client = [ test2 ];
}
