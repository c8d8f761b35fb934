# The server has moved to the other machine.

{ infrastructure }:

{
  hello_world_server = [ infrastructure.test2 ];
  hello_world_client = [ infrastructure.test2 ];
  disnix_tcp_proxy = [ infrastructure.test1 ];
}
