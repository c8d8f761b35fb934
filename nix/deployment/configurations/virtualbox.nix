{
  deployment.targetEnv = "virtualbox";
  deployment.virtualbox.memorySize = 1024;
}
