// A mask from a file of `pixelwise export`, in C++ with OpenVINO. Photo and mask are PPM and PGM.
//
// g++ -std=c++17 predict_openvino.cpp -o label -I OPENVINO/include -L OPENVINO/lib -lopenvino
// ./label model.xml photo.ppm mask.pgm
#include <fstream>
#include <iostream>
#include <openvino/openvino.hpp>
#include <string>

int main(int count, char** names) {
  if (count != 4) return std::cerr << "usage: label MODEL PHOTO.ppm MASK.pgm\n", 2;
  std::ifstream photo(names[2], std::ios::binary);
  std::string kind;
  size_t width = 0, height = 0, highest = 0;
  photo >> kind >> width >> height >> highest;
  if (kind != "P6" || highest != 255) return std::cerr << names[2] << ": no 8-bit PPM\n", 2;
  photo.get();  // the one space before the pixels
  const size_t area = height * width;
  std::string pixels(3 * area, '\0');
  photo.read(pixels.data(), pixels.size());

  ov::Tensor rgb(ov::element::u8, {1, 3, height, width});  // channel by channel
  for (size_t i = 0; i < 3 * area; i++) rgb.data<uint8_t>()[i % 3 * area + i / 3] = pixels[i];
  ov::InferRequest request = ov::Core().compile_model(names[1], "CPU").create_infer_request();
  request.set_input_tensor(rgb);
  request.infer();
  const ov::Tensor output = request.get_output_tensor();  // (1, classes, height, width)
  const float* logits = output.data<float>();

  std::string mask(area, '\0');
  for (size_t id = 1; id < output.get_shape()[1]; id++)
    for (size_t i = 0; i < area; i++)
      if (logits[id * area + i] > logits[mask[i] * area + i]) mask[i] = char(id);
  std::ofstream(names[3], std::ios::binary) << "P5\n" << width << " " << height << "\n255\n" << mask;
}
