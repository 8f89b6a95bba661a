"""What moto lacks or does otherwise than AWS; every private name of moto is used here."""
