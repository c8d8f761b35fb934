# The machines. Put the names of yours here: targets with the same hostname are one machine to
# Disnix.

{
  test1.properties.hostname = "127.0.0.1";
  test2.properties.hostname = "127.0.0.1";
}
