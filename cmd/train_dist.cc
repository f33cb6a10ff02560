// Trains a model with several processes, on one host or as one host of many.

#include "cmd/train_dist_main.h"

int main(int argc, char** argv) { return charrnn::TrainDistMain(argc, argv); }
