{ infrastructure }:

{
  hello_world_server = [ infrastructure.test1 ];
  hello_world_client = [ infrastructure.test2 ];
}
