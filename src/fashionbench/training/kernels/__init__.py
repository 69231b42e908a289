"""Small networks trained by one C function: images in, gradients out."""
