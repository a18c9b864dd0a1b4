"""pixelwise: semantic segmentation, from a folder of images and masks to a model one can trust and ship."""
