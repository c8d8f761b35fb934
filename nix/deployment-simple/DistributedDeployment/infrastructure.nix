# The machines. Put the names of yours here: another one is a target of its own, `test2` in the
# distribution models. Of each machine there must be one target only, since each locks its machine.

{
  test1.properties.hostname = "127.0.0.1";
}
