"""Tests: folders by kind; what they share can be imported from here."""
