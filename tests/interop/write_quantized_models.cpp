// write_quantized_models FOLDER: the folders that compressed_tensors_golden.py reads.
#include <iostream>

#include "quantized_models.h"

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: write_quantized_models FOLDER\n";
    return 2;
  }
  try {
    for (const auto& model : retort::interop::quantized_models())
      retort::interop::write_quantized_model(std::filesystem::path(arguments[1]) / model.name, model);
  } catch (const std::exception& error) {
    std::cerr << "write_quantized_models: " << error.what() << "\n";
    return 1;
  }
}
